// The rules of a request on the logits of its next token.
#include "generate/logit_rules.h"

#include <gtest/gtest.h>

#include <vector>

namespace vlsi {
namespace logit_rules_tests {

/// The tokens of five that are forbidden behind these, which are an answer to no prompt.
std::vector<int64_t> forbidden(const Decoding& decoding, const std::vector<int32_t>& tokens) {
  std::vector<float> logits(5, 0.0F);
  apply_logit_rules(decoding, tokens, 0, logits);
  std::vector<int64_t> found;
  for (size_t i = 0; i < logits.size(); ++i) {
    if (logits[i] == kNever) found.push_back(static_cast<int64_t>(i));
  }
  return found;
}

TEST(LogitRules, ForbidTheLastTokenOfABadWordBehindItsFirstOnes) {
  Decoding decoding;
  decoding.bad_words_ids = {{1}, {2, 3}};
  EXPECT_EQ(forbidden(decoding, {0}), (std::vector<int64_t>{1}));
  EXPECT_EQ(forbidden(decoding, {0, 2}), (std::vector<int64_t>{1, 3}));
}

TEST(LogitRules, TakeNoStopTokenForABadWord) {
  Decoding decoding;
  decoding.stop_tokens = {1, 4};
  decoding.bad_words_ids = {{1}, {2}, {4}, {3, 4}};
  EXPECT_EQ(forbidden(decoding, {0}), (std::vector<int64_t>{2}));
  EXPECT_EQ(forbidden(decoding, {0, 3}), (std::vector<int64_t>{2, 4})) << "a word of several tokens may end with one";
  decoding.min_new_tokens = 2;
  EXPECT_EQ(forbidden(decoding, {0}), (std::vector<int64_t>{1, 2, 4})) << "for another reason";
}

}  // namespace logit_rules_tests
}  // namespace vlsi
