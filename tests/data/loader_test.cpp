#include "data/loader.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <chrono>
#include <map>
#include <mutex>
#include <new>
#include <thread>

#include "tests/data/data_files.h"
#include "tests/data/fake_processor.h"

namespace vlsi {
namespace {

/// Records "name-0", "name-1", ... of 1 to 9 tokens.
std::string records(const std::string& name, int count) {
  std::string text;
  for (int i = 0; i < count; ++i) {
    text += record(std::to_string(1 + (i * 7) % 9), R"("id": ")" + name + "-" + std::to_string(i) + R"(",)") + "\n";
  }
  return text;
}

LoaderConfig config_of(int num_workers, OnError on_error = OnError::kStop) {
  LoaderConfig config;
  config.seed = 11;
  config.batch_tokens = 20;
  config.sample_tokens = 15;
  config.num_workers = num_workers;
  config.on_error = on_error;
  return config;
}

using Ids = std::vector<std::string>;

/// What a batch holds and where the loader stands behind it.
struct Step {
  Ids ids;
  std::vector<int64_t> starts;
  int64_t epoch, index;
  bool operator==(const Step&) const = default;
};

Step step_of(Loader& loader) {
  const auto batch = loader.next();
  return {batch.ids, batch.sequence_starts, loader.cursor().epoch, loader.cursor().index};
}

std::vector<Step> steps_of(const Mixture& mixture, const LoaderConfig& config, int count, Cursor start = {}) {
  const FakeProcessor processor;
  Loader loader(mixture, processor, config, start);
  std::vector<Step> steps;
  for (int i = 0; i < count; ++i) steps.push_back(step_of(loader));
  return steps;
}

class LoaderTest : public testing::Test {
 protected:
  Mixture mixture_of(const std::string& text) const { return Mixture({{folder_.write("data.jsonl", text), {}, 1.0}}); }
  std::string place(int record) const {
    return concat((folder_.path() / "data.jsonl").string(), ", record ", record, " (line ", record, ")");
  }

  const Folder folder_;
};

TEST_F(LoaderTest, GivesTheSameBatchesWhateverTheWorkers) {
  const Mixture mixture(
      {{folder_.write("a", records("a", 40)), {}, 1.5}, {folder_.write("b", records("b", 25)), {}, 1.0}});
  const auto expected = steps_of(mixture, config_of(1), 60);
  EXPECT_GE(expected.back().epoch, 2);
  for (const int num_workers : {2, 3, 8}) EXPECT_EQ(steps_of(mixture, config_of(num_workers), 60), expected);
  auto other = config_of(1);
  other.seed = 12;
  EXPECT_NE(steps_of(mixture, other, 60), expected);
}

TEST_F(LoaderTest, ContinuesFromEveryCursorAsIfItHadNotStopped) {
  std::string text = records("a", 30);
  text += "broken\n" + record("900") + "\n";
  const auto mixture = mixture_of(text);
  const auto config = config_of(2, OnError::kSkip);
  const auto expected = steps_of(mixture, config, 40);
  for (size_t i = 0; i + 5 < expected.size(); ++i) {
    const auto rest = steps_of(mixture, config, 5, {expected[i].epoch, expected[i].index});
    EXPECT_TRUE(std::equal(rest.begin(), rest.end(), expected.begin() + i + 1)) << i;
  }
}

TEST_F(LoaderTest, CountsLeftOutRecordsOnceAcrossAStop) {
  const auto mixture = mixture_of(records("a", 10) + "broken\nbroken\n" + records("b", 10) + "broken\n");
  const auto config = config_of(2, OnError::kSkip);
  const FakeProcessor processor;
  Loader whole(mixture, processor, config);
  for (int i = 0; i < 20; ++i) whole.next();
  for (int stop = 1; stop < 20; ++stop) {
    Loader first(mixture, processor, config);
    for (int i = 0; i < stop; ++i) first.next();
    Loader second(mixture, processor, config, first.cursor());
    for (int i = stop; i < 20; ++i) second.next();
    EXPECT_EQ(first.skipped().count + second.skipped().count, whole.skipped().count) << stop;
  }
}

TEST_F(LoaderTest, VisitsEveryRecordOncePerEpochWithinTheBudget) {
  const auto mixture = mixture_of(records("a", 50));
  const FakeProcessor processor;
  Loader loader(mixture, processor, config_of(3));
  Ids ids;
  while (loader.cursor().epoch < 3) {
    const auto batch = loader.next();
    EXPECT_LE(batch.num_tokens(), 20);
    EXPECT_GT(batch.num_tokens(), 20 - 9);  // the next sample had not fitted
    ids.insert(ids.end(), batch.ids.begin(), batch.ids.end());
  }
  // Batches run on over the end of an epoch.
  ASSERT_EQ(std::ssize(ids), loader.cursor().epoch * 50 + loader.cursor().index);
  std::map<std::string, int> counts;
  for (const auto& id : ids) counts[id] += 1;
  EXPECT_EQ(counts.size(), 50u);
  for (const auto& [id, count] : counts) EXPECT_TRUE(count == 3 || count == 4) << id;
}

TEST_F(LoaderTest, FillsBatchesInOrder) {
  const auto mixture = mixture_of(record("9", R"("id": "a",)") + "\n" + record("11", R"("id": "b",)") + "\n" +
                                  record("12", R"("id": "c",)") + "\n" + record("1", R"("id": "d",)") + "\n");
  auto config = config_of(1);
  config.shuffle = false;
  const auto steps = steps_of(mixture, config, 3);
  EXPECT_EQ(steps[0], (Step{{"a", "b"}, {0, 9, 20}, 0, 2}));
  EXPECT_EQ(steps[1], (Step{{"d", "c"}, {0, 1, 13}, 1, 0}));
  EXPECT_EQ(steps[2], (Step{{"a", "b"}, {0, 9, 20}, 1, 2}));
}

TEST_F(LoaderTest, AnnouncesGoodSamplesAheadOfTheirBatch) {
  const auto mixture = mixture_of(records("a", 12) + record("19") + "\n");  // above sample_tokens
  auto config = config_of(2, OnError::kSkip);
  std::mutex mutex;
  std::map<std::string, int> announced;
  config.announce = [&](const Sample& sample) {
    const std::scoped_lock lock(mutex);
    ++announced[sample.id];
  };
  const FakeProcessor processor;
  Loader loader(mixture, processor, config);
  std::map<std::string, int> delivered;
  for (int i = 0; i < 20; ++i) {
    for (const auto& id : loader.next().ids) ++delivered[id];
    const std::scoped_lock lock(mutex);
    for (const auto& [id, count] : delivered) EXPECT_GE(announced[id], count) << id;
  }
  EXPECT_EQ(announced.size(), 12U);
}

TEST_F(LoaderTest, StopsAtABadRecordForGood) {
  const auto mixture = mixture_of(records("a", 10) + R"({"id": 1, "id": 2, "conversations": []})" + "\n");
  auto config = config_of(4);
  config.shuffle = false;
  const FakeProcessor processor;
  Loader loader(mixture, processor, config);
  loader.next();
  const auto cursor = loader.cursor();
  EXPECT_ERROR(for (int i = 0; i < 10; ++i) loader.next(), place(11));
  EXPECT_ERROR(loader.next(), place(11));
  EXPECT_GE(loader.cursor().index, cursor.index);
  EXPECT_EQ(loader.cursor().epoch, 0);
}

TEST_F(LoaderTest, NamesFileRecordAndReasonOfEveryKindOfBadRecord) {
  folder_.write("here.jpg", "");
  const std::map<std::string, std::string> cases{
      {record("<image>3", R"("image": "gone.jpg",)"), "gone.jpg: no such file"},
      {record("3\xFF"), ""},
      {R"({"id": 1, "id": 2})", "id"},
      {R"({"conversations": 3})", "conversations: is "},
      {R"({"conversations": [{"from": "bot", "value": ""}]})", "conversations[0].from: role 'bot' is unknown"},
      {record("<image><image>3", R"("image": "here.jpg",)"), "2 places for pictures"},
      {R"({"messages": [{"role": "user", "content": "3"}]})", "has no answer"},
      {record("16"), "sample has 16 tokens, more than sample_tokens 15 allows"},
      {"{", ""},
      {"[1]", ""},
  };
  for (const auto& [bad, reason] : cases) {
    const auto mixture = mixture_of(record("3", R"("image": "here.jpg",)") + "\n" + bad + "\n" + record("4") + "\n");
    auto config = config_of(2);
    const FakeProcessor processor;
    Loader stopping(mixture, processor, config);
    EXPECT_ERROR(stopping.next(), place(2));
    EXPECT_ERROR(stopping.next(), reason);
    config.on_error = OnError::kSkip;
    Loader skipping(mixture, processor, config);
    while (skipping.cursor().epoch == 0) skipping.next();
    ASSERT_GE(skipping.skipped().count, 1) << bad;
    EXPECT_NE(skipping.skipped().reasons[0].find(place(2)), std::string::npos) << skipping.skipped().reasons[0];
  }
}

TEST_F(LoaderTest, RefusesASampleLargerThanABatch) {
  const auto mixture = mixture_of(record("15"));
  auto config = config_of(1);
  config.batch_tokens = 14;
  const FakeProcessor processor;
  Loader loader(mixture, processor, config);
  EXPECT_ERROR(loader.next(), place(1) + ": sample has 15 tokens, more than batch_tokens 14 allows");
}

TEST_F(LoaderTest, KeepsTheFirstTwentyReasons) {
  std::string text;
  for (int i = 0; i < 50; ++i) text += record("99") + "\n";
  const auto mixture = mixture_of(text + record("20") + "\n");
  auto config = config_of(3, OnError::kSkip);
  config.shuffle = false;
  config.sample_tokens = 20;
  const FakeProcessor processor;
  Loader loader(mixture, processor, config);
  loader.next();
  EXPECT_EQ(loader.skipped().count, 50);
  ASSERT_EQ(loader.skipped().reasons.size(), 20u);
  for (int i = 0; i < 20; ++i) EXPECT_EQ(loader.skipped().reasons[i].find(place(i + 1)), 0u);
}

TEST_F(LoaderTest, RefusesAnEpochWithoutAGoodRecord) {
  auto config = config_of(2, OnError::kSkip);
  config.shuffle = false;
  const FakeProcessor processor;
  const auto all_bad = mixture_of(record("99") + "\n" + record("98") + "\nbroken\n" + record("97") + "\n");
  Loader loader(all_bad, processor, config);
  EXPECT_ERROR(loader.next(), "every one of the 4 records of epoch 0 was left out: [" + place(1) + ": sample has 99");
  EXPECT_ERROR(loader.next(), "every one of the 4 records");
  Loader later(all_bad, processor, config, {3, 2});
  EXPECT_ERROR(later.next(), "records of epoch 4 was left out");
}

TEST_F(LoaderTest, ThrowsOnWhatIsNoFaultOfARecord) {
  const auto mixture = mixture_of(record("666"));
  const FakeProcessor processor;
  Loader loader(mixture, processor, config_of(2, OnError::kSkip));
  EXPECT_THROW(loader.next(), std::bad_alloc);
  EXPECT_THROW(loader.next(), std::bad_alloc);
}

TEST_F(LoaderTest, ReadsAheadWithinBounds) {
  const auto mixture = mixture_of(records("a", 2000));
  const FakeProcessor processor;
  {
    Loader loader(mixture, processor, config_of(2));
    loader.next();
    const auto settled = [&] {
      const int before = processor.num_encoded;
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
      return before == processor.num_encoded;
    };
    while (!settled()) continue;
  }  // ends with a full window
  // Two batches of finished samples, one sample for each worker, and the batch given out: at most 1 token each.
  EXPECT_LE(processor.num_encoded, 3 * 20 + 2);
  EXPECT_GE(processor.num_encoded, 4);
}

TEST_F(LoaderTest, EndsWithoutABatchTaken) {
  const auto mixture = mixture_of(records("a", 100));
  const FakeProcessor processor;
  for (int i = 0; i < 20; ++i) Loader(mixture, processor, config_of(1 + i % 4));
}

TEST_F(LoaderTest, RefusesImpossibleSettings) {
  const auto mixture = mixture_of(records("a", 3));
  const FakeProcessor processor;
  EXPECT_ERROR(Loader(mixture, processor, config_of(0)), "num_workers is 0");
  auto config = config_of(1);
  config.batch_tokens = 0;
  EXPECT_ERROR(Loader(mixture, processor, config), "batch_tokens is 0");
  config = config_of(1);
  config.sample_tokens = -1;
  EXPECT_ERROR(Loader(mixture, processor, config), "sample_tokens is -1");
  EXPECT_ERROR(Loader(mixture, processor, config_of(1), {0, 4}), "cannot go on at record 4 of epoch 0");
  EXPECT_ERROR(Loader(mixture, processor, config_of(1), {-1, 0}), "epoch -1");
  const Mixture empty({{folder_.write("few.jsonl", records("b", 3)), {}, 0.1}});
  EXPECT_ERROR(Loader(empty, processor, config_of(1)), "an epoch has no records");
}

TEST_F(LoaderTest, TakesTheEndOfAnEpochAsTheStartOfTheNext) {
  const auto mixture = mixture_of(records("a", 12));
  EXPECT_EQ(steps_of(mixture, config_of(1), 6, {0, 12}), steps_of(mixture, config_of(2), 6, {1, 0}));
}

TEST_F(LoaderTest, CountsTheTokensOfEachSource) {
  const Mixture mixture({{folder_.write("a", records("a", 20)), {}, 1}, {folder_.write("b", records("b", 5)), {}, 1}});
  const FakeProcessor processor;
  Loader loader(mixture, processor, config_of(3));
  std::vector<int64_t> counted(2, 0);
  for (int i = 0; i < 10; ++i) {
    const auto batch = loader.next();
    for (size_t sample = 0; sample < batch.ids.size(); ++sample) {
      counted[batch.ids[sample][0] == 'a' ? 0 : 1] += batch.sequence_starts[sample + 1] - batch.sequence_starts[sample];
    }
  }
  EXPECT_EQ(loader.source_tokens(), counted);
  EXPECT_GT(counted[1], 0);
}

TEST_F(LoaderTest, StopsWhereAFileChangesBetweenEpochs) {
  const auto path = folder_.write("data.jsonl", records("a", 6));
  const Mixture mixture({{path, {}, 1}});
  const FakeProcessor processor;
  const auto change = [&] {
    std::filesystem::last_write_time(path, std::filesystem::last_write_time(path) + std::chrono::seconds(1));
  };
  auto config = config_of(1, OnError::kSkip);
  Loader loader(mixture, processor, config);
  change();
  EXPECT_ERROR(
      {
        for (int i = 0; i < 2000; ++i) loader.next();
      },
      path.string() + " has changed since it was opened");
}

}  // namespace
}  // namespace vlsi
