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

TEST(ExactMatch, IsTextAndJsonWithoutWhatHasNoCategory) {
  ExactMatch match;
  match.add("shape", true);
  match.add("color", false);
  match.add("", true);
  EXPECT_EQ(to_text(match, "test"),
            "test                      66.67 %  2 of 3\n"
            "  color                    0.00 %  0 of 1\n"
            "  shape                  100.00 %  1 of 1\n");
  EXPECT_EQ(to_json(match).dump(),
            R"({"accuracy":0.6666666666666666,"right":2,"total":3,"categories":{)"
            R"("color":{"accuracy":0.0,"right":0,"total":1},"shape":{"accuracy":1.0,"right":1,"total":1}}})");
}

}  // namespace
}  // namespace vlsi
