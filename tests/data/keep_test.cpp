#include "data/keep.h"

#include <gtest/gtest.h>

#include "tests/support/errors.h"

namespace vlsi {
namespace keep_test {
namespace {

const Json kValues = Json::parse(
    R"({"visual_dependency_min": 3, "source": "ai2d", "deep": {"a": {"b": 1.5}}, "is_good": true, "none": null})");

bool keeps(const std::string& text) { return Keep(text).is_true(kValues); }

TEST(Keep, ComparesAColumnWithALiteral) {
  for (const char* yes : {"visual_dependency_min >= 3", "visual_dependency_min==3", "visual_dependency_min < 3.5",
                          "source == 'ai2d'", "source != \"x\"", "source > 'a'", "deep.a.b == 1.5", "deep.a.b > -1e3",
                          "is_good == true", "is_good != false", "source contains 'i2'", "source lacks 'x'",
                          "none == null", "missing == null", "source != null", "deep.x.y == null", ""}) {
    EXPECT_TRUE(keeps(yes)) << yes;
  }
  for (const char* no : {"visual_dependency_min > 3", "visual_dependency_min != 3", "source < 'a'", "is_good == false",
                         "none != null", "missing != null", "missing == 1", "missing != 1", "missing lacks 'x'",
                         "source contains 'x'", "source lacks 'a'", "none < 2"}) {
    EXPECT_FALSE(keeps(no)) << no;
  }
}

TEST(Keep, JoinsByAndBeforeOr) {
  EXPECT_TRUE(keeps("source == 'ai2d' or source == 'x' and visual_dependency_min > 9"));
  EXPECT_FALSE(keeps("(source == 'ai2d' or source == 'x') and visual_dependency_min > 9"));
  EXPECT_TRUE(keeps("(((visual_dependency_min > 1)) and is_good == true)and source=='ai2d'"));
  EXPECT_FALSE(keeps("order == 1 or android == 2"));
}

TEST(Keep, NamesItsColumns) {
  EXPECT_EQ(Keep("a.b > 1 and (c == 'x' or a.d < 2)").columns(), (std::vector<std::string>{"a", "c"}));
  EXPECT_TRUE(Keep().empty());
  EXPECT_TRUE(Keep("  ").empty());
}

TEST(Keep, RefusesWhatItCannotRead) {
  const auto expect = [](const std::string& text, const std::string& part) {
    expect_error([&] { Keep{text}; }, {"keep '", part});
  };
  expect("visual >", "found the end at byte 9, expected a number, a text in quotes, true, false or null");
  expect("visual = 3", "found '= 3' at byte 8, expected ==, !=, <, <=, >, >=, contains or lacks");
  expect("a contains 3", "expected a text in quotes behind contains");
  expect("3 > visual", "found '3 > visual' at byte 1, expected a column");
  expect("a > 1 b", "found 'b' at byte 7, expected and, or, or the end");
  expect("(a > 1", "found the end at byte 7, expected ')'");
  expect("a == 'x", "expected a text with its closing quote");
  expect("a > 1x", "found '1x' at byte 5, expected a number");
  expect("a..b > 1", "expected a key between the dots");
  expect("a < true", "expected == or != with what has no order");
  expect("a > 1 and", "found the end at byte 10, expected a column");
  expect(std::string(200, '('), "expected fewer parentheses");
}

TEST(Keep, ComparesTextsThatAreNumbersWithEither) {
  const Json cells{{"answer", "2"}, {"rating", "1e1"}, {"letter", "A"}};
  const auto keeps_cells = [&](const std::string& text) {
    return Keep(text).is_true(cells, /*numbers_are_texts=*/true);
  };
  for (const char* yes : {"answer == '2'", "answer == 2", "answer != 'A'", "answer contains '2'", "rating > 9.5",
                          "rating == '1e1'", "letter == 'A'"}) {
    EXPECT_TRUE(keeps_cells(yes)) << yes;
  }
  EXPECT_FALSE(keeps_cells("rating == '10'"));
  expect_error([&] { keeps_cells("letter > 3"); },
               {"keep: \"letter\" is a string, expected what can be compared with 3"});
  expect_error([&] { Keep("answer == 2").is_true(cells); }, {"keep: \"answer\" is a string"});
}

TEST(Keep, RefusesAValueOfAnotherType) {
  expect_error([] { keeps("source > 3"); }, {"keep: \"source\" is a string, expected what can be compared with 3"});
  expect_error([] { keeps("is_good == 'true'"); }, {"\"is_good\" is a boolean"});
}

}  // namespace
}  // namespace keep_test
}  // namespace vlsi
