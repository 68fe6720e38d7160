// Exact match: what counts as right, and how it is tallied.
#include "eval/exact_match.h"

#include <gtest/gtest.h>

namespace vlsi {
namespace {

TEST(ExactMatch, IgnoresWhiteSpaceAroundTheAnswerOnly) {
  EXPECT_TRUE(ExactMatch::is_right("red", "red"));
  EXPECT_TRUE(ExactMatch::is_right(" red\n", "red"));
  EXPECT_TRUE(ExactMatch::is_right("red", "\tred \r\n"));
  EXPECT_FALSE(ExactMatch::is_right("dark  red", "dark red"));
  EXPECT_FALSE(ExactMatch::is_right("redd", "red"));
  EXPECT_FALSE(ExactMatch::is_right("red.", "red"));
}

TEST(ExactMatch, CountsCase) { EXPECT_FALSE(ExactMatch::is_right("Red", "red")); }

TEST(ExactMatch, TakesAnAnswerOfNothingAsWrongUnlessNothingWasExpected) {
  EXPECT_FALSE(ExactMatch::is_right("", "red"));
  EXPECT_FALSE(ExactMatch::is_right(" \n", "red"));
  EXPECT_TRUE(ExactMatch::is_right(" ", ""));
}

TEST(ExactMatch, TalliesAllAndEachCategory) {
  ExactMatch match;
  match.add("color", true);
  match.add("color", false);
  match.add("shape", true);
  match.add("", false);
  EXPECT_EQ(match.overall().right, 2);
  EXPECT_EQ(match.overall().total, 4);
  EXPECT_EQ(match.overall().accuracy(), 0.5);
  ASSERT_EQ(match.by_category().size(), 3);
  EXPECT_EQ(match.by_category().at("color").accuracy(), 0.5);
  EXPECT_EQ(match.by_category().at("shape").accuracy(), 1);
}

TEST(ExactMatch, OfNoQuestionsIsZero) { EXPECT_EQ(ExactMatch().overall().accuracy(), 0); }

}  // namespace
}  // namespace vlsi
