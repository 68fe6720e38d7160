// Counts of matches and means of KL matrices over the stretches of a run.
#include "report/match_history.h"

#include <gtest/gtest.h>

namespace vlsi {
namespace {

TEST(MatchHistory, CountsEveryIterationOfAShortRunByItself) {
  MatchHistory history;
  history.add({1, {{2, 4}, {3, 6}}, {}, {{1.0, 2.0}, {3.0, std::nullopt}}});
  history.add({2, {{2, 6}, {2, 6}}, {}, {}});
  EXPECT_EQ(history.to_json({2, 3}, {4, 6}), OrderedJson::parse(R"({
    "student_layers": [2, 3], "teacher_layers": [4, 6], "stretches": [
      {"first": 1, "last": 1, "counts": [[1, 0], [0, 1]], "weights": null, "losses": [[1.0, 2.0], [3.0, null]]},
      {"first": 2, "last": 2, "counts": [[0, 2], [0, 0]], "weights": null, "losses": null}]})"));
}

TEST(MatchHistory, GivesTheMeanOfWeightsWhereNothingIsChosen) {
  MatchHistory history;
  for (int i = 1; i <= 48; ++i) history.add({i, {}, {{i % 2 == 0 ? 1.0 : 0.5, 0.0}}, {}});
  const auto json = history.to_json({2}, {4, 6});
  ASSERT_EQ(json["stretches"].size(), 24U);
  for (const auto& stretch : json["stretches"]) EXPECT_EQ(stretch["weights"], OrderedJson::parse("[[0.75,0.0]]"));
}

TEST(MatchHistory, JoinsStretchesOfALongRunWithoutLosingAMatch) {
  MatchHistory history;
  const int iterations = 1000;
  for (int i = 1; i <= iterations; ++i) history.add({i, {{1, i <= 500 ? 2 : 3}}, {}, {{static_cast<double>(i), 0.0}}});
  const auto json = history.to_json({1}, {2, 3});
  const auto& stretches = json["stretches"];
  ASSERT_GE(stretches.size(), 12U);
  ASSERT_LE(stretches.size(), 24U);
  int64_t next = 1, early = 0, late = 0;
  for (const auto& stretch : stretches) {
    EXPECT_EQ(stretch["first"], next);
    next = stretch["last"].get<int64_t>() + 1;
    early += stretch["counts"][0][0].get<int64_t>();
    late += stretch["counts"][0][1].get<int64_t>();
    // The mean of consecutive numbers, of which six digits are kept.
    EXPECT_NEAR(stretch["losses"][0][0].get<double>(),
                (stretch["first"].get<double>() + stretch["last"].get<double>()) / 2, 0.01);
  }
  EXPECT_EQ(next, iterations + 1);
  EXPECT_EQ(early, 500);
  EXPECT_EQ(late, 500);
}

TEST(MatchHistory, ShowsMatchedLayersThatTheConfigurationDoesNotName) {
  MatchHistory history;
  history.add({1, {{2, 9}}, {}, {{1.0}}});
  const auto json = history.to_json({2}, {4});
  EXPECT_EQ(json["teacher_layers"], OrderedJson::parse("[4, 9]"));
  EXPECT_EQ(json["stretches"][0]["counts"], OrderedJson::parse("[[0, 1]]"));
  EXPECT_TRUE(json["stretches"][0]["losses"].is_null()) << "whose columns are not known any more";
}

}  // namespace
}  // namespace vlsi
