#include "data/sample.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "base/error.h"
#include "tests/support/errors.h"

namespace vlsi {
namespace {

Sample sample() {
  Sample result;
  result.id = "a";
  result.tokens = {1, 2, 3};
  result.answer_positions = {1};
  result.labels = {3};
  result.images = {{at::arange(24, at::kFloat).view({4, 6}), {1, 2, 2}}};
  return result;
}

template <class Change>
uint64_t changed(const Change& change) {
  auto other = sample();
  change(other);
  return fingerprint_of(other);
}

TEST(SampleFingerprint, IsOfWhatAModelIsShown) {
  const auto before = fingerprint_of(sample());
  EXPECT_EQ(fingerprint_of(sample()), before);
  EXPECT_EQ(changed([](Sample& s) {
              s.id = "b";
              s.category = "c";
              s.labels = {4};
            }),
            before);
  EXPECT_EQ(changed([](Sample& s) { s.images[0].rows = s.images[0].rows.t().contiguous().t(); }), before)
      << "how the patches lie in memory";
  EXPECT_NE(changed([](Sample& s) { s.tokens[2] = 4; }), before);
  EXPECT_NE(changed([](Sample& s) { s.answer_positions[0] = 0; }), before);
  EXPECT_NE(changed([](Sample& s) { s.images[0].rows[3][5] += 1; }), before);
  EXPECT_NE(changed([](Sample& s) { s.images[0].shape.layout = {1, 1, 4}; }), before);
  EXPECT_NE(changed([](Sample& s) { s.images.clear(); }), before);
}

TEST(SampleFingerprint, KeepsTheBordersBetweenLists) {
  EXPECT_NE(changed([](Sample& s) { s.tokens = {1, 2}, s.answer_positions = {3, 1}; }), fingerprint_of(sample()));
}

TEST(CheckLength, NamesTheLimitThatIsPassed) {
  const auto error = [](int64_t sample_tokens, int64_t batch_tokens) -> std::string {
    try {
      check_length(sample(), sample_tokens, batch_tokens);
    } catch (const Error& found) {
      return found.what();
    }
    return "none";
  };
  EXPECT_EQ(error(3, 3), "none");
  EXPECT_EQ(error(2, 2), "sample has 3 tokens, more than sample_tokens 2 allows");
  EXPECT_EQ(error(3, 2), "sample has 3 tokens, more than batch_tokens 2 allows");
  auto with_picture = sample();
  with_picture.image_token_positions = {1};
  expect_error([&] { check_length(with_picture, 2, 2); },
               {"sample has 3 tokens (1 for pictures: max_pixels in preprocessor_config.json bounds them), more than "
                "sample_tokens 2 allows"});
}

TEST(CheckPromptLength, NamesTheModelsContext) {
  EXPECT_NO_THROW(check_prompt_length(sample(), 3));
  expect_error(
      [] { check_prompt_length(sample(), 2); },
      {"prompt has 3 tokens, more than the 2 that the model's context and the cache (--cache-memory) have for it"});
}

}  // namespace
}  // namespace vlsi
