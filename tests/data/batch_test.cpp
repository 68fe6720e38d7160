#include "data/batch.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

namespace vlsi {
namespace {

Sample sample(const std::string& id, const std::vector<int32_t>& tokens, const std::vector<int32_t>& answers) {
  Sample result;
  result.id = id;
  result.tokens = tokens;
  result.positions.resize(3);
  for (int axis = 0; axis < 3; ++axis) {
    for (size_t i = 0; i < tokens.size(); ++i) result.positions[axis].push_back(static_cast<int32_t>(10 * axis + i));
  }
  result.answer_positions = answers;
  for (const int32_t answer : answers) result.labels.push_back(100 + answer);
  return result;
}

std::vector<int64_t> values(const at::Tensor& tensor) {
  EXPECT_EQ(tensor.scalar_type(), at::kLong);
  const auto flat = tensor.contiguous();
  return {flat.data_ptr<int64_t>(), flat.data_ptr<int64_t>() + flat.numel()};
}

using Values = std::vector<int64_t>;

TEST(Batch, LaysSamplesEndToEndByLength) {
  const auto batch = pack({sample("long", {1, 2, 3}, {1}), sample("a", {4, 5}, {0}), sample("b", {6, 7}, {0, 1})});
  EXPECT_EQ(batch.ids, (std::vector<std::string>{"a", "b", "long"}));
  EXPECT_EQ(values(batch.tokens), (Values{4, 5, 6, 7, 1, 2, 3}));
  EXPECT_EQ(batch.sequence_starts, (Values{0, 2, 4, 7}));
  EXPECT_EQ(batch.positions.sizes(), (at::IntArrayRef{3, 7}));
  EXPECT_EQ(values(batch.positions[1]), (Values{10, 11, 10, 11, 10, 11, 12}));
  EXPECT_EQ(values(batch.answer_positions), (Values{0, 2, 3, 5}));
  EXPECT_EQ(values(batch.labels), (Values{100, 100, 101, 101}));
  EXPECT_EQ(batch.answer_starts, (Values{0, 1, 3, 4}));
  EXPECT_FALSE(batch.patches.defined());
  EXPECT_EQ(values(batch.image_token_positions), Values{});
  EXPECT_EQ(batch.num_samples(), 3);
  EXPECT_EQ(batch.num_tokens(), 7);
  EXPECT_EQ(batch.num_answers(), 4);
}

TEST(Batch, OrdersPicturesAsItsSamples) {
  auto a = sample("a", {1, 2, 3, 4}, {2});
  a.image_token_positions = {1, 2};
  a.images = {{at::full({4, 6}, 1.0f), {4, 1, {1, 2, 2}}}, {at::full({8, 6}, 2.0f), {8, 1, {1, 2, 4}}}};
  auto b = sample("b", {5, 6}, {1});
  b.image_token_positions = {0};
  b.images = {{at::full({4, 6}, 3.0f), {4, 1, {1, 4, 1}}}};
  const auto batch = pack({a, b});
  EXPECT_EQ(values(batch.image_token_positions), (Values{0, 3, 4}));
  EXPECT_EQ(batch.patches.sizes(), (at::IntArrayRef{16, 6}));
  EXPECT_TRUE(at::equal(batch.patches, at::cat({b.images[0].rows, a.images[0].rows, a.images[1].rows})));
  ASSERT_EQ(batch.pictures.size(), 3u);
  EXPECT_EQ(batch.pictures[0].layout[1], 4);
  EXPECT_EQ(batch.pictures[2].layout[2], 4);
}

TEST(Batch, KnowsItsSamplesInItsOwnOrder) {
  const auto a = sample("a", {1, 2, 3}, {1}), b = sample("b", {4, 5}, {0});
  EXPECT_EQ(pack({a, b}).sample_fingerprints, (std::vector<uint64_t>{fingerprint_of(b), fingerprint_of(a)}));
}

TEST(Batch, PacksPromptsWithoutLabels) {
  auto prompt = sample("p", {1, 2}, {1});
  prompt.labels.clear();
  const auto batch = pack({prompt, prompt});
  EXPECT_EQ(values(batch.answer_positions), (Values{1, 3}));
  EXPECT_EQ(batch.labels.numel(), 0);
  EXPECT_THROW(pack({prompt, sample("s", {1, 2}, {1})}), c10::Error);
}

TEST(Batch, KnowsWhatItsLabelsWeigh) {
  const auto plain = sample("p", {1, 2, 3}, {1, 2});
  auto weighted = sample("w", {1, 2}, {0});
  const auto without = pack({plain, weighted});
  EXPECT_FALSE(without.label_weights.defined());
  EXPECT_EQ(without.sum_of_weights(), 3);
  weighted.label_weights = {0.25F};
  const auto with = pack({plain, weighted});
  EXPECT_TRUE(at::equal(with.label_weights, at::tensor({0.25F, 1.0F, 1.0F})));  // the shorter one is first
  EXPECT_EQ(with.sum_of_weights(), 2.25);
  EXPECT_EQ(with.sample_fingerprints, without.sample_fingerprints);
  EXPECT_TRUE(to_device(with, at::Device("meta")).label_weights.is_cpu());  // their sum is read before any loss
}

TEST(Batch, RefusesNoSamplesAndUnevenOnes) {
  EXPECT_THROW(pack({}), c10::Error);
  auto uneven = sample("u", {1, 2}, {1});
  uneven.positions[2].pop_back();
  EXPECT_THROW(pack({uneven}), c10::Error);
  uneven = sample("u", {1, 2}, {0, 1});
  uneven.labels.pop_back();
  EXPECT_THROW(pack({uneven}), c10::Error);
  uneven = sample("u", {1, 2}, {0, 1});
  uneven.label_weights = {2};
  EXPECT_THROW(pack({uneven}), c10::Error);
}

TEST(Batch, MovesEveryTensorThatIsThere) {
  const auto batch = to_device(pack({sample("a", {1, 2}, {1})}), at::Device("meta"));
  for (const auto* tensor : {&batch.tokens, &batch.positions, &batch.answer_positions, &batch.labels}) {
    EXPECT_TRUE(tensor->is_meta());
  }
  EXPECT_FALSE(batch.patches.defined());
  EXPECT_EQ(batch.ids, std::vector<std::string>{"a"});
}

TEST(Batch, HasTheTeachersSamplesInTheOrderOfTheModels) {
  // The student's lengths are 3, 2, 2, the teacher's 2, 4, 3.
  const std::vector<SamplePair> pairs{{sample("x", {1, 2, 3}, {1}), sample("x", {9, 1}, {0})},
                                      {sample("y", {4, 5}, {0, 1}), sample("y", {9, 8, 4, 5}, {2, 3})},
                                      {sample("z", {6, 7}, {0}), sample("z", {9, 6, 7}, {1})}};
  const auto batch = pack_pairs(pairs), alone = pack({pairs[0].own, pairs[1].own, pairs[2].own});
  EXPECT_EQ(batch.ids, alone.ids);
  EXPECT_TRUE(at::equal(batch.tokens, alone.tokens));
  ASSERT_TRUE(batch.teachers);
  const auto& teachers = batch.for_teacher();
  EXPECT_EQ(teachers.ids, batch.ids);
  EXPECT_EQ(values(teachers.tokens), (Values{9, 8, 4, 5, 9, 6, 7, 9, 1}));
  EXPECT_EQ(values(teachers.answer_positions), (Values{2, 3, 5, 7}));
  EXPECT_EQ(teachers.answer_starts, batch.answer_starts);
  EXPECT_EQ(&alone.for_teacher(), &alone);
}

}  // namespace
}  // namespace vlsi
