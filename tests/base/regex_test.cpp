#include "base/regex.h"

#include <gtest/gtest.h>

#include "tests/support/errors.h"

namespace vlsi {
namespace {

TEST(Regex, FindsTheFirstMatchFromAPlaceOn) {
  const std::string text = "zwölf 12, drei 3";
  const Regex regex("(\\w+) \\d+", "test");
  Regex::Matcher matcher(regex);
  const auto first = matcher.find(text);
  ASSERT_TRUE(first);
  EXPECT_EQ(first->whole, "zwölf 12");
  EXPECT_EQ(first->group, "zwölf");
  const auto second = matcher.find(text, first->whole.size());
  ASSERT_TRUE(second);
  EXPECT_EQ(second->whole, "drei 3");
  EXPECT_EQ(second->whole.data() - text.data(), 11);
  EXPECT_FALSE(matcher.find(text, text.size()));
}

TEST(Regex, HasAnEmptyGroupWhereThereIsNone) {
  EXPECT_EQ(Regex("a|(b)", "test").find("a")->group, "");
  EXPECT_EQ(Regex("a", "test").find("a")->group, "");
}

TEST(Regex, BindsAMatchToTheStartOrToTheWholeText) {
  const Regex regex("b|bc", "test");
  EXPECT_EQ(regex.find("abc")->whole, "b");
  EXPECT_FALSE(regex.find("abc", Regex::Where::kAtStart));
  EXPECT_EQ(regex.find("bcd", Regex::Where::kAtStart)->whole, "b");
  EXPECT_EQ(regex.find("bc", Regex::Where::kWholeText)->whole, "bc");
  EXPECT_FALSE(regex.find("bcd", Regex::Where::kWholeText));
}

TEST(Regex, TellsWhetherItCanMatchTheEmptyText) {
  EXPECT_TRUE(Regex("a*", "test").can_match_empty());
  EXPECT_FALSE(Regex("a+", "test").can_match_empty());
}

TEST(Regex, FindsMatchesThatNeedMoreThanTheStackOfCompiledCode) {
  const std::string text = std::string(20000, 'a') + "c";
  EXPECT_EQ(Regex("(?:a|(b))*c", "test").find(text)->whole, text);
}

TEST(Regex, SaysWhatIsWrongAndWhere) {
  expect_error([] { Regex("(", "file.json: '('"); }, {"file.json: '(' is no regular expression: missing closing"});
  const Regex slow("(.*)*(.*)*(.*)*[0-9]", "file.json: the pattern");
  expect_error([&] { slow.find("model.layers.0.self_attn.q_proj.", Regex::Where::kWholeText); },
               {"file.json: the pattern gives up on a text of 32 bytes: match limit exceeded"});
}

}  // namespace
}  // namespace vlsi
