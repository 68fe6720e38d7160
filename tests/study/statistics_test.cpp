// Statistics of a study against scipy's.
#include "study/statistics.h"

#include <gtest/gtest.h>

#include <cmath>

#include "base/json.h"

namespace vlsi::study_statistics_test {
namespace {

const Json& fixture() {
  static const Json json = read_json(std::string(VLSI_TEST_DATA) + "/study/statistics.json");
  return json;
}

TEST(StudentsT, HasTheQuantilesOfScipy) {
  for (const auto& item : fixture()["quantiles"]) {
    const auto expected = item["t"].get<double>();
    // scipy's own error: at one degree and 0.5, where t is 1, it is 1.3e-11.
    EXPECT_NEAR(student_t(item["degrees"], item["level"]) / expected, 1, 5e-11) << item;
  }
}

TEST(StudentsT, IsExactAtOneDegree) { EXPECT_NEAR(student_t(1, 0.5), 1, 4e-16); }

std::vector<double> differences_of(const Json& pair) {
  std::vector<double> differences;
  for (size_t i = 0; i < pair["ours"].size(); ++i) {
    differences.push_back(pair["ours"][i].get<double>() - pair["theirs"][i].get<double>());
  }
  return differences;
}

TEST(IntervalOfMean, IsThatOfThePairedTTest) {
  for (const auto& pair : fixture()["pairs"]) {
    const auto differences = differences_of(pair);
    const auto interval = interval_of_mean(differences);
    ASSERT_TRUE(interval);
    // scipy's quantile for one degree of freedom is 2e-11 of itself away from tan(0.95 π / 2), which it is.
    const double tolerance = 5e-11 * (1 + interval->high - interval->low);
    EXPECT_NEAR(interval->low, pair["low"].get<double>(), tolerance);
    EXPECT_NEAR(interval->high, pair["high"].get<double>(), tolerance);
    const auto mean = mean_and_deviation(differences);
    EXPECT_NEAR(mean.mean, pair["mean"].get<double>(), 1e-12);
    EXPECT_NEAR(*mean.deviation, pair["deviation"].get<double>(), 1e-12);
    EXPECT_EQ(mean.count, std::ssize(differences));
  }
}

TEST(IntervalOfMean, NeedsTwoValues) {
  const std::vector<double> one{3};
  EXPECT_FALSE(interval_of_mean(one));
  EXPECT_FALSE(mean_and_deviation(one).deviation);
  EXPECT_EQ(mean_and_deviation(one).mean, 3);
}

std::vector<QuestionScores> scores_of(const Json& rows) {
  std::vector<QuestionScores> all;
  for (const std::string row : rows) {
    auto& scores = all.emplace_back();
    for (size_t i = 0; i < row.size(); ++i) scores[std::to_string(i)] = row[i] == '1' ? 1 : 0;
  }
  return all;
}

TEST(IntervalOverQuestions, IsThatOfAPairedBootstrap) {
  const auto& expected = fixture()["bootstrap"];
  const auto interval = interval_over_questions(scores_of(expected["ours"]), scores_of(expected["theirs"]));
  ASSERT_TRUE(interval);
  // A percentile at 2.5 % of 1,000 normal draws varies by sqrt(0.025 * 0.975 / 1000) / 0.0584 = 0.085 deviations.
  const double tolerance = 4 * 0.085 * expected["deviation"].get<double>();
  EXPECT_NEAR(interval->low, expected["low"].get<double>(), tolerance);
  EXPECT_NEAR(interval->high, expected["high"].get<double>(), tolerance);
}

TEST(IntervalOverQuestions, LooksAtQuestionsThatBothHave) {
  const std::vector<QuestionScores> ours{{{"a", 1}, {"b", 1}, {"only ours", 0}}};
  const std::vector<QuestionScores> theirs{{{"a", 0}, {"b", 0}, {"only theirs", 1}}};
  const auto interval = interval_over_questions(ours, theirs);
  ASSERT_TRUE(interval);
  EXPECT_EQ(interval->low, 1);
  EXPECT_EQ(interval->high, 1);
  EXPECT_FALSE(interval_over_questions({{{"a", 1}}}, {{{"b", 1}}}));
}

}  // namespace
}  // namespace vlsi::study_statistics_test
