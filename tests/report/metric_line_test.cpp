// Lines of metrics.jsonl, whole and broken.
#include "report/metric_line.h"

#include <gtest/gtest.h>

namespace vlsi {
namespace {

std::optional<MetricLine> parse(const std::string& text, std::string* problem = nullptr) {
  MetricLineParser parser;
  std::string told;
  auto line = parser.parse(text, told);
  if (problem != nullptr) *problem = told;
  return line;
}

TEST(MetricLine, HoldsEveryField) {
  std::string problem;
  const auto line = parse(
      R"({"step":"interact","iteration":3,"loss":3.5,"tokens":12,"layer_loss":[1.5,null],"matches":[[1,3],[2,4]],)"
      R"("kl":[0.5,0.25],"kl_matrix":[[1,2],[3,null]],"seconds":0.5})",
      &problem);
  ASSERT_TRUE(line);
  EXPECT_EQ(problem, "");
  EXPECT_EQ(line->step, "interact");
  EXPECT_EQ(line->iteration, 3);
  EXPECT_EQ(line->number("loss"), 3.5);
  EXPECT_EQ(line->number("tokens"), 12);
  EXPECT_EQ(line->number("absent"), std::nullopt);
  ASSERT_EQ(line->lists.size(), 1U);
  EXPECT_EQ(line->lists[0].first, "layer_loss");
  EXPECT_EQ(line->lists[0].second, (std::vector<Measured>{1.5, std::nullopt}));
  EXPECT_EQ(line->matching.matches, (std::vector<MatchHistory::Pair>{{1, 3}, {2, 4}}));
  EXPECT_EQ(line->match_losses, (std::vector<Measured>{0.5, 0.25}));
  EXPECT_EQ(line->matching.losses, (MatchHistory::Matrix{{1.0, 2.0}, {3.0, std::nullopt}}));
}

TEST(MetricLine, HoldsTheOtherLossAndTheWeightsOfTheExpectedMatching) {
  std::string problem;
  const auto line = parse(
      R"({"step":"interact","iteration":1,"matches":[[1,2]],"l2":[4],"l2_matrix":[[3,4]],"match_weights":[[0.25,0.75]]})",
      &problem);
  ASSERT_TRUE(line);
  EXPECT_EQ(problem, "");
  EXPECT_EQ(line->match_losses, std::vector<Measured>{4.0});
  EXPECT_EQ(line->matching.losses, (MatchHistory::Matrix{{3.0, 4.0}}));
  EXPECT_EQ(line->matching.weights, (MatchHistory::Matrix{{0.25, 0.75}}));
  EXPECT_EQ(line->matching.iteration, 1);
}

TEST(MetricLine, ReadsNanAndInfinityAsGaps) {
  const auto line = parse(R"({"step":"NaN","iteration":1,"loss":NaN,"layer_loss":[-Infinity,1.0,Infinity]})");
  ASSERT_TRUE(line);
  EXPECT_EQ(line->step, "NaN") << "a string stays what it is";
  ASSERT_EQ(line->numbers.size(), 1U);
  EXPECT_EQ(line->numbers[0].second, std::nullopt);
  EXPECT_EQ(line->lists[0].second, (std::vector<Measured>{std::nullopt, 1.0, std::nullopt}));
}

TEST(MetricLine, LeavesOutFieldsOfAnotherKindAndSaysSo) {
  for (const std::string field :
       {R"("loss":"high")", R"("matches":[[1]])", R"("matches":[[0,1]])", R"("matches":[[1,100000]])",
        R"("kl_matrix":[1,2])", R"("layer_loss":[[1]])", R"("match_weights":{})"}) {
    std::string problem;
    const auto line = parse(R"({"step":"interact","iteration":1,)" + field + R"(,"tokens":5})", &problem);
    ASSERT_TRUE(line) << field;
    EXPECT_EQ(line->number("tokens"), 5) << field;
    const auto key = field.substr(1, field.find('"', 1) - 1);
    EXPECT_NE(problem.find("'" + key + "'"), std::string::npos) << problem;
    EXPECT_TRUE(line->matching.matches.empty() && line->match_losses.empty() && line->matching.losses.empty() &&
                line->lists.empty())
        << field;
  }
}

TEST(MetricLine, IgnoresKlThatDoesNotFitTheMatches) {
  const auto line = parse(R"({"step":"interact","iteration":1,"matches":[[1,2]],"kl":[1,2]})");
  ASSERT_TRUE(line);
  EXPECT_EQ(line->matching.matches.size(), 1U);
  EXPECT_TRUE(line->match_losses.empty());
}

TEST(MetricLine, RefusesWhatIsNoLine) {
  for (const std::string text :
       {"{\"step\":\"interact\",\"iter", "[1]", "7", "{}", R"({"step":"interact"})", R"({"step":1,"iteration":1})",
        R"({"step":"interact","iteration":1.5})", "{\"step\":\"\xff\",\"iteration\":1}"}) {
    std::string problem;
    EXPECT_FALSE(parse(text, &problem)) << text;
    EXPECT_FALSE(problem.empty()) << text;
  }
}

}  // namespace
}  // namespace vlsi
