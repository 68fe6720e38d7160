// A batch taken apart and put together again.
#include "data/unpack.h"

#include <ATen/ATen.h>

#include "tests/data/tiny_samples.h"

namespace vlsi {
namespace {

using namespace tiny_samples;

/// The sample with a token in front.
Sample shifted(Sample sample) {
  sample.tokens.insert(sample.tokens.begin(), 1);
  for (auto& axis : sample.positions) {
    for (auto& position : axis) ++position;
    axis.insert(axis.begin(), 0);
  }
  for (auto* places : {&sample.answer_positions, &sample.image_token_positions}) {
    for (auto& place : *places) ++place;
  }
  ++sample.next_position;
  return sample;
}

void expect_same_tensor(const at::Tensor& a, const at::Tensor& b) {
  ASSERT_EQ(a.defined(), b.defined());
  EXPECT_TRUE(!a.defined() || at::equal(a, b));
}

void expect_same(const Batch& a, const Batch& b) {
  EXPECT_EQ(a.ids, b.ids);
  EXPECT_EQ(a.sample_fingerprints, b.sample_fingerprints);
  EXPECT_EQ(a.sequence_starts, b.sequence_starts);
  EXPECT_EQ(a.answer_starts, b.answer_starts);
  EXPECT_EQ(a.next_positions, b.next_positions);
  EXPECT_EQ(a.fingerprints, b.fingerprints);
  EXPECT_EQ(a.pictures.size(), b.pictures.size());
  expect_same_tensor(a.tokens, b.tokens);
  expect_same_tensor(a.positions, b.positions);
  expect_same_tensor(a.answer_positions, b.answer_positions);
  expect_same_tensor(a.labels, b.labels);
  expect_same_tensor(a.label_weights, b.label_weights);
  expect_same_tensor(a.patches, b.patches);
  expect_same_tensor(a.image_token_positions, b.image_token_positions);
}

Batch again(const Batch& batch) { return pack_pairs(unpack_pairs(batch)); }

TEST(Unpack, GivesTheSamplesOfWhichTheSameBatchIsPacked) {
  auto samples = stored();
  ASSERT_FALSE(samples.front().images.empty());
  samples[2].images.clear();  // a text between pictures, with as many tokens as before
  samples[2].image_token_positions.clear();
  samples[1].label_weights.assign(samples[1].labels.size(), 2.5F);
  const auto batch = pack(samples);
  expect_same(again(batch), batch);
  EXPECT_EQ(again(batch).teachers, nullptr);
}

TEST(Unpack, GivesTheTeachersSamplesBesideThem) {
  std::vector<SamplePair> pairs;
  for (const auto& sample : stored()) pairs.push_back({sample, shifted(sample)});
  const auto batch = pack_pairs(pairs);
  expect_same(again(batch), batch);
  ASSERT_NE(again(batch).teachers, nullptr);
  expect_same(*again(batch).teachers, *batch.teachers);
}

TEST(Unpack, GivesPromptsWithoutLabels) {
  std::vector<Sample> prompts;
  for (const auto& conversation : conversations()) prompts.push_back(processor().encode_prompt(conversation));
  const auto batch = pack(prompts);
  expect_same(again(batch), batch);
  EXPECT_TRUE(unpack_pairs(batch).front().own.labels.empty());
}

}  // namespace
}  // namespace vlsi
