// The shape of a step's first micro-batches.
#include "plan/data_shape.h"
#include "family/family.h"

#include <algorithm>

#include "base/random.h"
#include "run/step_data.h"
#include "tests/plan/plan_fixture.h"

namespace vlsi {
namespace {

using namespace plan_fixture;

TEST(DataShape, IsThatOfTheBatchesThatTheStepBeginsWith) {
  const Folder folder;
  const StoredModel model(folder.path() / "model", small_config(1, 64, true), at::kFloat, at::kFloat);
  const auto processor = load_processor(model.path());
  std::string records;
  for (int i = 0; i < 40; ++i) records += record(std::string(static_cast<size_t>(5 + 3 * i), 'a')) + "\n";
  RunConfig config;
  config.seed = 3;
  auto& data = config.interact.data;
  data.train = {{folder.write("data.jsonl", records), {}, 1}};
  data.batch_tokens = data.sample_tokens = 400;

  const auto shape = look_at_data(config, StepKind::kInteract, *processor);
  const auto open = open_training_data(config, StepKind::kInteract, *processor).open;
  const auto loader = open({}, {});
  double samples = 0, tokens = 0, most_tokens = 0, most_answers = 0;
  int num_batches = 0;
  for (; num_batches < 4; ++num_batches) {
    const auto batch = loader->next();
    samples += static_cast<double>(batch.num_samples());
    tokens += static_cast<double>(batch.num_tokens());
    most_tokens = std::max(most_tokens, static_cast<double>(batch.num_tokens()));
    most_answers = std::max(most_answers, static_cast<double>(batch.num_answers()));
  }
  EXPECT_LT(samples, 64);  // so that all four are looked at
  EXPECT_EQ(shape.largest.tokens, most_tokens);
  EXPECT_EQ(shape.largest.answers, most_answers);
  EXPECT_EQ(shape.mean.tokens, tokens / 4);
  EXPECT_EQ(shape.mean.samples, samples / 4);
  EXPECT_EQ(shape.tokens, tokens);
  EXPECT_EQ(shape.epoch_records, 40);
  EXPECT_EQ(shape.largest.patches, 0);
  EXPECT_GT(shape.distinct_tokens, 3);
  EXPECT_LT(shape.distinct_tokens, 40);

  config.interact.on_policy = {.share = 1, .max_new_tokens = 3};
  const auto drawn = look_at_data(config, StepKind::kInteract, *processor);
  EXPECT_EQ(drawn.largest.tokens, std::min(400.0, most_tokens + 3 * shape.largest.samples));
  EXPECT_EQ(drawn.largest.answers, std::min(drawn.largest.tokens, most_answers + 3 * shape.largest.samples));
  EXPECT_EQ(drawn.teacher_largest.tokens, drawn.largest.tokens);
  EXPECT_EQ(drawn.mean.answers, shape.mean.answers);
  config.interact.on_policy.max_new_tokens = 10000;
  EXPECT_EQ(look_at_data(config, StepKind::kInteract, *processor).largest.answers, 400);

  const auto largest = largest_possible(data, 4, 3);
  EXPECT_EQ(largest.largest.tokens, 400);
  EXPECT_EQ(largest.largest.answers, 400);
  EXPECT_EQ(largest.largest.patches, 1600);
  EXPECT_EQ(largest.teacher_largest.tokens, 400);
  EXPECT_EQ(largest.teacher_largest.patches, 1200);
}

TEST(DataShape, CountsPatchesOfPictures) {
  RunConfig config;
  auto& data = config.finetune.data;
  data.train = {{VLSI_TEST_DATA "/tiny/train.json", {}, 1}};
  data.batch_tokens = 300;
  const Folder folder;
  const StoredModel model(folder.path() / "model", small_config(1, 64, true), at::kFloat, at::kFloat);
  const auto shape = look_at_data(config, StepKind::kFinetune, *load_processor(model.path()));
  EXPECT_GE(shape.largest.patches, shape.largest.largest_picture);
  EXPECT_GT(shape.largest.largest_picture, 0);
}

/// `count` records, the picture of record i called picture(i).
template <class Picture>
double distinct_of(const Folder& folder, int count, const Picture& picture) {
  std::string records;
  for (int i = 0; i < count; ++i) {
    records += R"({"image": ")" + std::to_string(picture(i)) +
               R"(.png", "conversations": [{"from": "human", "value": "<image>?"}, {"from": "gpt", "value": "x"}]})"
               "\n";
  }
  return distinct_pictures(Mixture({{folder.write("data.jsonl", records), {}, 1}}));
}

TEST(DistinctPictures, AreCountedByTheirPaths) {
  const Folder folder;
  EXPECT_EQ(distinct_of(folder, 40, [](int i) { return i % 10; }), 0.25);
  EXPECT_EQ(distinct_of(folder, 40, [](int i) { return i; }), 1);
  EXPECT_EQ(distinct_pictures(Mixture({{folder.write("text.jsonl", record("no picture") + "\n"), {}, 1}})), 1);
  EXPECT_EQ(distinct_pictures(Mixture({{folder.write("bad.jsonl", "{\"image\": 3}\n"), {}, 1}})), 1);
}

TEST(DistinctPictures, AreEstimatedForManyRecords) {
  const Folder folder;
  Random random(3);
  // 4,096 draws of 2,000 pictures find 1,742 of them; the number of those has a standard deviation of 1 %.
  EXPECT_NEAR(distinct_of(folder, 20'000, [&](int) { return static_cast<int>(random.uniform() * 2000); }), 0.1, 0.004);
  // As files often are: questions about one picture stand together. No record is drawn twice, which finds a few
  // pictures more.
  EXPECT_NEAR(distinct_of(folder, 20'000, [](int i) { return i / 10; }), 0.1, 0.01);
  EXPECT_NEAR(distinct_of(folder, 20'000, [](int i) { return i; }), 1, 1e-9);
}

}  // namespace
}  // namespace vlsi
