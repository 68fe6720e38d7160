// A record as two models are shown it, and their answers token by token.
#include "data/sample_pair.h"

#include <gtest/gtest.h>

#include "base/json.h"
#include "data/dataset.h"
#include "data/loader.h"
#include "tests/data/data_files.h"
#include "tests/data/paired_processor.h"

namespace vlsi {
namespace {

const std::filesystem::path kToy = VLSI_TEST_DATA "/tokenizer/toy";
constexpr int64_t kNoLimit = 1 << 20;

/// The toy tokenizer without its merges: it cuts words into their bytes.
std::filesystem::path cutting_otherwise(const Folder& folder) {
  auto json = read_json(kToy / "tokenizer.json");
  json["model"]["merges"] = Json::array();
  folder.write("tokenizer.json", json.dump());
  return folder.path();
}

Conversation conversation(const std::string& answer) {
  const auto text = [](const std::string& content) {
    return std::vector<Content>{{Content::Kind::kText, content, {}}};
  };
  return {"one", "", {{Role::kUser, text("what is it?")}, {Role::kAssistant, text(answer)}}};
}

TEST(SamplePair, HasOneSampleWhereAllSeeAlike) {
  const PairedProcessor processor(kToy, 3);
  const auto pair = SampleMaker(processor).encode(conversation("a"), kNoLimit, kNoLimit);
  EXPECT_EQ(pair.own.tokens, processor.encode(conversation("a")).tokens);
  EXPECT_FALSE(pair.teachers);
}

TEST(SamplePair, HasWhatEachProcessorMakes) {
  const PairedProcessor student(kToy, 3), teacher(kToy, 7);
  const auto pair = SampleMaker(student, teacher, kAllIds).encode(conversation("hello"), kNoLimit, kNoLimit);
  EXPECT_EQ(pair.own.tokens, student.encode(conversation("hello")).tokens);
  ASSERT_TRUE(pair.teachers);
  EXPECT_EQ(pair.teachers->tokens, teacher.encode(conversation("hello")).tokens);
  EXPECT_EQ(pair.teachers->labels, pair.own.labels);
}

TEST(SamplePair, RefusesAnswersOfOtherTokensByTheFirstThatDiffer) {
  const Folder folder;
  const PairedProcessor student(kToy, 3), teacher(cutting_otherwise(folder), 3);
  const SampleMaker maker(student, teacher, kAllIds);
  EXPECT_NO_THROW(maker.encode(conversation("!?"), kNoLimit, kNoLimit));
  const auto& tokenizer = student.tokenizer();
  const auto word = tokenizer.encode("!the");
  ASSERT_EQ(word.size(), 2U) << "'the' is one piece";
  EXPECT_ERROR(
      maker.encode(conversation("!the"), kNoLimit, kNoLimit),
      concat("the answers are 3 tokens to the student and 5 to the teacher; the first that differ, number 2, are "
             "'the' (",
             word[1], ") and 't' (", tokenizer.require("t"), ")"));
}

TEST(SamplePair, RefusesAnotherEndOfTurnAndAnswersThatEndEarly) {
  const PairedProcessor student(kToy, 3), teacher(kToy, 3, /*end_of_turn=*/310);
  EXPECT_ERROR(SampleMaker(student, teacher, kAllIds).encode(conversation("!"), kNoLimit, kNoLimit),
               "the answers are 2 tokens to the student and 2 to the teacher; the first that differ, number 2, are "
               "'<end>' (309) and '<endless>' (310)");
}

TEST(SamplePair, RefusesLabelsThatAreNotShared) {
  const PairedProcessor student(kToy, 3), teacher(kToy, 7);
  EXPECT_NO_THROW(SampleMaker(student, teacher, 310).encode(conversation("!"), kNoLimit, kNoLimit));
  EXPECT_ERROR(SampleMaker(student, teacher, 309).encode(conversation("!"), kNoLimit, kNoLimit),
               "number 2, are '<end>' (309) and '<end>' (309)");
}

TEST(SamplePair, IsHeldToTheLimitsOnBothSides) {
  const PairedProcessor student(kToy, 3), teacher(kToy, 50);
  const auto record = conversation("!");
  const auto length = std::ssize(teacher.encode(record).tokens);
  const SampleMaker maker(student, teacher, kAllIds);
  EXPECT_NO_THROW(maker.encode(record, length, length));
  EXPECT_ERROR(maker.encode(record, length - 1, length),
               concat("for the teacher: sample has ", length, " tokens, more than sample_tokens ", length - 1));
  EXPECT_ERROR(SampleMaker(teacher, student, kAllIds).encode(record, length, length - 1),
               concat("sample has ", length, " tokens, more than batch_tokens"));
}

/// Knows how long a record is before it reads its pictures.
class FillCountingProcessor : public PairedProcessor {
 public:
  using PairedProcessor::PairedProcessor;
  void fill(const Conversation&, Sample&) const override { ++num_filled; }

  mutable int num_filled = 0;
};

TEST(SamplePair, ReadsNoPictureOfARecordThatIsTooLongForEitherModel) {
  const FillCountingProcessor student(kToy, 3), teacher(kToy, 50);
  const auto record = conversation("!");
  const auto length = std::ssize(teacher.encode(record).tokens);
  const SampleMaker maker(student, teacher, kAllIds);
  EXPECT_ERROR(maker.encode(record, length - 1, length), "for the teacher: sample has ");
  EXPECT_EQ(student.num_filled + teacher.num_filled, 0);
  EXPECT_NO_THROW(maker.encode(record, length, length));
  EXPECT_EQ(student.num_filled, 1);
  EXPECT_EQ(teacher.num_filled, 1);
}

/// Batches of pairs until the first epoch is over.
std::vector<Batch> batches_of(const std::filesystem::path& data, const SampleMaker& maker, const LoaderConfig& config) {
  const Mixture mixture({{data, {}, 1.0}});
  Loader loader(mixture, maker, config);
  std::vector<Batch> batches;
  while (loader.cursor().epoch < 1) batches.push_back(loader.next());
  return batches;
}

std::filesystem::path write_records(const Folder& folder) {
  std::string text;
  for (int i = 0; i < 30; ++i) text += record(std::string(static_cast<size_t>(1 + i * 7 % 11), '!')) + "\n";
  return folder.write("data.jsonl", text);
}

TEST(LoaderOfPairs, FillsABatchUntilEitherSideIsFull) {
  const Folder folder;
  const auto data = write_records(folder);
  const PairedProcessor shorter(kToy, 2), longer(kToy, 9);
  LoaderConfig config;
  config.batch_tokens = config.sample_tokens = 60;
  const auto alone = batches_of(data, longer, config);
  for (const bool teacher_is_longer : {true, false}) {
    const auto& student = teacher_is_longer ? shorter : longer;
    const auto& teacher = teacher_is_longer ? longer : shorter;
    const auto pairs = batches_of(data, {student, teacher, kAllIds}, config);
    // The longer side alone decides, as each of its samples is longer.
    ASSERT_EQ(pairs.size(), alone.size());
    for (size_t i = 0; i < pairs.size(); ++i) {
      EXPECT_EQ(pairs[i].ids, alone[i].ids);
      const auto& of_longer = teacher_is_longer ? pairs[i].for_teacher() : pairs[i];
      EXPECT_EQ(of_longer.sequence_starts, alone[i].sequence_starts);
      EXPECT_LE(pairs[i].for_teacher().num_tokens(), 60);
      EXPECT_EQ(pairs[i].for_teacher().answer_starts, pairs[i].answer_starts);
    }
  }
}

TEST(LoaderOfPairs, CountsRecordsWhoseAnswersDiffer) {
  const Folder folder, other;
  std::string text;
  for (const char* answer : {"yes", "!", "<end>", "no"}) {
    text += concat(R"({"id": ")", answer,
                   R"(", "conversations": [{"from": "human", "value": "?"}, {"from": "gpt", "value": ")", answer,
                   "\"}]}\n");
  }
  const auto data = folder.write("data.jsonl", text);
  const Mixture mixture({{data, {}, 1.0}});
  // Without special tokens the answer "<end>" would be text; here it is token 309, which is not among the shared ones.
  const PairedProcessor student(kToy, 2, /*end_of_turn=*/1), teacher(kToy, 3, /*end_of_turn=*/1);
  const SampleMaker maker(student, teacher, 309);
  LoaderConfig config;
  config.shuffle = false;
  Loader stopping(mixture, maker, config);
  EXPECT_ERROR(stopping.next(), concat(data.string(), ", record 3 (line 3): the answers are 2 tokens to the student"));
  config.on_error = OnError::kSkip;
  config.batch_tokens = config.sample_tokens = 20;
  Loader skipping(mixture, maker, config);
  while (skipping.cursor().epoch < 1) {
    const auto batch = skipping.next();
    EXPECT_EQ(std::count(batch.ids.begin(), batch.ids.end(), "<end>"), 0);
  }
  EXPECT_EQ(skipping.skipped().count, 1);
}

}  // namespace
}  // namespace vlsi
