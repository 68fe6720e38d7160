// Prompts and answers of samples.
#include "data/other_answer.h"

#include <ATen/ATen.h>

#include "tests/data/tiny_samples.h"

namespace vlsi {
namespace {

using namespace tiny_samples;

void expect_same_input(const Sample& a, const Sample& b) {
  EXPECT_EQ(a.id, b.id);
  EXPECT_EQ(a.category, b.category);
  EXPECT_EQ(a.tokens, b.tokens);
  EXPECT_EQ(a.positions, b.positions);
  EXPECT_EQ(a.next_position, b.next_position);
  EXPECT_EQ(a.image_token_positions, b.image_token_positions);
  ASSERT_EQ(a.images.size(), b.images.size());
  for (size_t i = 0; i < a.images.size(); ++i) EXPECT_TRUE(at::equal(a.images[i].rows, b.images[i].rows));
}

TEST(OtherAnswer, HasThePromptThatTheProcessorMakes) {
  auto all = conversations();
  all.push_back(two_rounds());
  for (const auto& conversation : all) {
    const auto sample = processor().encode(conversation);
    const auto prompt = prompt_of(sample, begin_of_last_answer(sample)),
               expected = processor().encode_prompt(conversation);
    expect_same_input(prompt, expected);
    EXPECT_EQ(prompt.answer_positions, expected.answer_positions);
    EXPECT_TRUE(prompt.labels.empty());
  }
}

TEST(OtherAnswer, LeavesOutWhatStandsBehindAnEarlierPrompt) {
  const auto sample = processor().encode(two_rounds());
  ASSERT_EQ(sample.images.size(), 2U);
  expect_same_input(prompt_of(sample, 0), processor().encode_prompt(conversations()[0]));
}

TEST(OtherAnswer, ThatIsTheSamplesOwnGivesTheSampleUpToItsEndOfTurn) {
  for (const auto& sample : stored()) {
    const auto again = with_answer(sample, begin_of_last_answer(sample), sample.labels);
    EXPECT_EQ(again.labels, sample.labels);
    EXPECT_EQ(again.answer_positions, sample.answer_positions);
    const auto length = again.tokens.size();
    ASSERT_EQ(length, static_cast<size_t>(sample.answer_positions.back()) + 2);
    EXPECT_TRUE(std::equal(again.tokens.begin(), again.tokens.end(), sample.tokens.begin()));
    for (size_t axis = 0; axis < again.positions.size(); ++axis) {
      ASSERT_EQ(again.positions[axis].size(), length);
      EXPECT_TRUE(
          std::equal(again.positions[axis].begin(), again.positions[axis].end(), sample.positions[axis].begin()));
    }
  }
}

TEST(OtherAnswer, IsTheOnlyOneThatIsLearnt) {
  const auto rounds = processor().encode(two_rounds());
  const int64_t begin = begin_of_last_answer(rounds);
  ASSERT_GT(begin, 0);
  const auto answered = with_answer(rounds, begin, {7, 8, 9});
  const int32_t last = rounds.answer_positions[begin];
  EXPECT_EQ(answered.answer_positions, (std::vector<int32_t>{last, last + 1, last + 2}));
  EXPECT_EQ(answered.labels, (std::vector<int32_t>{7, 8, 9}));
  EXPECT_EQ(std::vector<int32_t>(answered.tokens.end() - 3, answered.tokens.end()), answered.labels);
  EXPECT_EQ(answered.images.size(), 2U);
  EXPECT_TRUE(answered.label_weights.empty());
}

TEST(OtherAnswer, HasTheWeightOfTheOneInWhosePlaceItIs) {
  auto rounds = two_rounds();
  rounds.turns.back().weight = 3;
  const auto sample = processor().encode(rounds);
  EXPECT_EQ(with_answer(sample, begin_of_last_answer(sample), {7, 8}).label_weights, (std::vector<float>{3, 3}));
}

TEST(OtherAnswer, ThatIsEmptyIsAnEndOfTurn) {
  const auto sample = stored().front();
  const auto empty = with_answer(sample, 0, {processor().end_of_turn()});
  EXPECT_EQ(empty.answer_positions, (std::vector<int32_t>{sample.answer_positions.front()}));
  EXPECT_EQ(empty.tokens.size(), static_cast<size_t>(sample.answer_positions.front()) + 2);
}

}  // namespace
}  // namespace vlsi
