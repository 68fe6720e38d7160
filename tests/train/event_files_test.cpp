// TensorBoard's event files: the bytes of its own writer, and what a run's lines become.
#include "train/event_files.h"

#include <cstring>

#include "tests/support/errors.h"
#include "tests/support/file_size_limit.h"
#include "tests/support/files.h"
#include "tests/support/in_ranks.h"
#include "train/run_directory.h"

namespace vlsi {
namespace event_files_test {
namespace {

namespace fs = std::filesystem;

/// The records of a TFRecord file without their frames, which must be whole.
std::vector<std::string> records_of(const fs::path& path) {
  const auto text = content_of(path);
  std::vector<std::string> records;
  for (size_t at = 0; at < text.size();) {
    uint64_t length = 0;
    std::memcpy(&length, text.data() + at, sizeof length);
    if (at + 16 + length > text.size()) {
      ADD_FAILURE() << path << " is cut";
      break;
    }
    records.push_back(text.substr(at + 12, length));
    EXPECT_EQ(text.substr(at, 16 + length), tf_record(records.back()));
    at += 16 + length;
  }
  return records;
}

std::vector<fs::path> files_in(const fs::path& folder) {
  std::vector<fs::path> files;
  for (const auto& entry : fs::directory_iterator(folder)) files.push_back(entry.path());
  std::sort(files.begin(), files.end());
  return files;
}

/// Without its wall time: a byte that names the field, and eight.
std::string timeless(const std::string& event) { return event.substr(9); }
std::string summary(int64_t step, const std::vector<TaggedNumber>& values) {
  return timeless(summary_event(0, step, values));
}

TEST(Crc32c, IsThatOfItsPublishedCheckValues) {
  EXPECT_EQ(crc32c("123456789"), 0xE3069283u);
  EXPECT_EQ(crc32c(std::string(32, '\0')), 0x8A9136AAu);  // RFC 3720, B.4
}

TEST(SummaryEvent, HasTheBytesOfTensorBoardsOwnWriter) {
  const double time = 1234567890.125;
  EXPECT_EQ(tf_record(summary_event(time, 1, std::vector<TaggedNumber>{{"loss", 3.25f}, {"layer_loss/1", -1e-30f}})) +
                tf_record(summary_event(time, 300, std::vector<TaggedNumber>{{"learning_rate", 5e-5f}})),
            content_of(fs::path(VLSI_TEST_DATA) / "events/two_summaries.tfevents"));
}

TEST(EventFiles, HoldTheNumbersOfTheLinesInAFolderAStep) {
  const Folder folder;
  EventFiles events(folder / "tensorboard");
  EXPECT_FALSE(fs::exists(folder / "tensorboard")) << "a start that fails leaves nothing";
  events.append(OrderedJson::parse(
      R"({"step": "verbalize-student", "iteration": 7, "loss": 2.5, "layer_loss": [0.5, null, 2], "empty": [], "seconds": 3})"));
  events.append(OrderedJson::parse(
      R"({"step": "interact", "iteration": 1, "loss": null, "kl_matrix": [[1, 2]], "matches": [[1, 2], [2, 3]], "kl": [1, 2]})"));
  events.append(OrderedJson::parse(R"({"step": "interact", "iteration": 2, "matches": [[1, 2]], "kl": [null]})"));
  const auto first = files_in(folder / "tensorboard/verbalize-student");
  ASSERT_EQ(first.size(), 1u);
  EXPECT_TRUE(first[0].filename().string().starts_with("events.out.tfevents."));
  const auto verbalize = records_of(first[0]);
  ASSERT_EQ(verbalize.size(), 3u);
  // Field 3, a string of 13 bytes; field 7, a message of field 1 with the value 1.
  EXPECT_EQ(timeless(verbalize[0]), std::string("\x10\0\x1A\x0D", 4) + "brain.Event:2");
  EXPECT_EQ(timeless(verbalize[1]), "\x10\x07\x3A\x02\x08\x01");
  EXPECT_EQ(timeless(verbalize[2]),
            summary(7, {{"loss", 2.5f}, {"layer_loss/1", 0.5f}, {"layer_loss/3", 2}, {"seconds", 3}}));
  const auto interact = records_of(files_in(folder / "tensorboard/interact").at(0));
  ASSERT_EQ(interact.size(), 4u);
  EXPECT_EQ(timeless(interact[2]), summary(1, {{"kl", 1.5f}}));
  EXPECT_EQ(timeless(interact[3]), summary(2, {}));
}

TEST(EventFiles, OfAResumedRunStartBehindItsCheckpoint) {
  const Folder folder;
  const auto line = [](int64_t iteration) {
    return OrderedJson{{"step", "finetune"}, {"iteration", iteration}, {"loss", 1}};
  };
  {
    RunDirectory run(folder / "run", "seed: 1\n", false);
    run.add_event_files();
    run.append_metrics(line(1));
    run.write_checkpoint({"finetune", 1, 1, {}, ""}, {}, 1);
    run.append_metrics(line(2));
    run.append_metrics(line(3));
  }
  RunDirectory run(folder / "run", "seed: 1\n", true);
  run.add_event_files();
  run.append_metrics(line(2));
  const auto files = files_in(folder / "run/tensorboard/finetune");
  ASSERT_EQ(files.size(), 2u);
  EXPECT_EQ(records_of(files[0]).size(), 5u);
  const auto second = records_of(files[1]);
  ASSERT_EQ(second.size(), 3u);
  EXPECT_EQ(timeless(second[1]), "\x10\x02\x3A\x02\x08\x01") << "a start at iteration 2, from which readers drop";
  EXPECT_EQ(timeless(second[2]), summary(2, {{"loss", 1}}));
}

TEST(EventFiles, OfAStartForTheValidationDataAloneKeepTheLastIteration) {
  const Folder folder;
  { EventFiles(folder.path()).append({{"step", "finetune"}, {"iteration", 2}, {"loss", 1}}); }
  EventFiles(folder.path()).append({{"step", "finetune"}, {"iteration", 2}, {"validation_loss", 3}});
  const auto files = files_in(folder / "finetune");
  ASSERT_EQ(files.size(), 2u);
  const auto second = records_of(files[1]);
  ASSERT_EQ(second.size(), 3u);
  EXPECT_EQ(timeless(second[1]), "\x10\x03\x3A\x02\x08\x01") << "a start at iteration 3";
  EXPECT_EQ(timeless(second[2]), summary(2, {{"validation_loss", 3}}));
}

TEST(EventFiles, AreWrittenByTheFirstRankAlone) {
  const Folder folder;
  const auto path = folder / "run";
  EXPECT_EQ(in_ranks(2,
                     [&](const Ranks& ranks) {
                       RunDirectory run(path, "seed: 1\n", false, ranks);
                       run.add_event_files();
                       run.append_metrics({{"step", "interact"}, {"iteration", 1}, {"rank", ranks.rank()}});
                     }),
            (std::vector<std::string>{"", ""}));
  const auto files = files_in(path / "tensorboard/interact");
  ASSERT_EQ(files.size(), 1u);
  EXPECT_EQ(timeless(records_of(files[0]).at(2)), summary(1, {{"rank", 0}}));
}

TEST(EventFiles, NameAPlaceThatCannotBeWritten) {
  const Folder folder;
  folder.write("tensorboard", "a file");
  EventFiles events(folder / "tensorboard");
  const OrderedJson line{{"step", "interact"}, {"iteration", 1}, {"loss", 1}};
  expect_error([&] { events.append(line); }, {"tensorboard"});
  const FileSizeLimit limit(10);
  EventFiles more(folder / "more");
  expect_error([&] { more.append(line); },
               {"writing events to", "more/interact/events.out.tfevents", "File too large"});
}

}  // namespace
}  // namespace event_files_test
}  // namespace vlsi
