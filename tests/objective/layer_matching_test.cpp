// Layer matching: Algorithm 1's promises over random matrices, its distribution, and the variants.
#include "objective/layer_matching.h"
#include "tests/support/rapidcheck_seed.h"

#include <c10/util/Exception.h>
#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <numeric>
#include <set>

namespace vlsi {
namespace {

struct Case {
  int64_t num_student, num_teacher;
  std::vector<double> kl;
  uint64_t seed;
};

Case any_case() {
  Case c;
  c.num_student = *rc::gen::inRange<int64_t>(1, 9);
  c.num_teacher = *rc::gen::inRange<int64_t>(c.num_student, 21);
  for (int64_t i = 0; i < c.num_student * c.num_teacher; ++i) c.kl.push_back(*rc::gen::inRange(0, 4000) / 1000.0);
  c.seed = *rc::gen::arbitrary<uint64_t>();
  return c;
}

std::vector<Match> matches_of(const Case& c, const MatchingConfig& config = {}) {
  Random random(c.seed);
  return match_layers(c.kl, c.num_student, c.num_teacher, config, random);
}

MatchingConfig rule(const std::string& name) {
  MatchingConfig config;
  config.rule = ChosenRule(name);
  return config;
}

TEST(LayerMatching, GivesEveryStudentLayerOneDeeperTeacherLayerInRange) {
  for (const char* kind : {"multinomial", "bottom_1"}) {
    EXPECT_TRUE(rc::check([&] {
      const auto c = any_case();
      const auto matches = matches_of(c, rule(kind));
      RC_ASSERT(matches.size() == c.num_student);
      int64_t start = 0;
      for (int64_t s = 0; s < c.num_student; ++s) {
        RC_ASSERT(matches[s].student == s);
        RC_ASSERT(matches[s].weight == 1.0);
        RC_ASSERT(start <= matches[s].teacher);
        RC_ASSERT(matches[s].teacher <= c.num_teacher - c.num_student + s);
        start = matches[s].teacher + 1;
      }
    }));
  }
}

TEST(LayerMatching, OfEquallyManyLayersIsTheDiagonal) {
  EXPECT_TRUE(rc::check([] {
    auto c = any_case();
    c.num_teacher = c.num_student;
    c.kl.resize(c.num_student * c.num_student);
    for (const auto& match : matches_of(c)) RC_ASSERT(match.student == match.teacher);
  }));
}

TEST(LayerMatching, ReachesEveryCandidateAndNoOther) {
  // With equal KL every candidate is equally likely: the first layer's are 0..3, and then as far as 4 and 5.
  const Case c{3, 6, std::vector<double>(18, 1.0), 0};
  Random random(7);
  std::vector<std::set<int64_t>> seen(3);
  for (int i = 0; i < 2000; ++i) {
    for (const auto& match : match_layers(c.kl, 3, 6, {}, random)) seen[match.student].insert(match.teacher);
  }
  EXPECT_EQ(seen[0], (std::set<int64_t>{0, 1, 2, 3}));
  EXPECT_EQ(seen[1], (std::set<int64_t>{1, 2, 3, 4}));
  EXPECT_EQ(seen[2], (std::set<int64_t>{2, 3, 4, 5}));
}

TEST(LayerMatching, OfOneStudentLayerMayTakeAnyTeacherLayer) {
  for (int64_t best = 0; best < 5; ++best) {
    std::vector<double> kl(5, 100.0);
    kl[best] = 0;
    EXPECT_EQ(matches_of({1, 5, kl, 1}, rule("bottom_1")).front().teacher, best);
  }
}

TEST(LayerMatching, ProbabilitiesAreTheSoftmaxAtTheAdaptiveTemperature) {
  EXPECT_TRUE(rc::check([] {
    const auto c = any_case();
    const std::span row(c.kl.data(), c.num_teacher);
    const auto [low, high] = std::minmax_element(row.begin(), row.end());
    const double temperature = (*high - *low + 1e-6) / 2;
    double sum = 0;
    for (const double kl : row) sum += std::exp(-kl / temperature + *low / temperature);
    const auto found = matching_probabilities(row, {0});
    RC_ASSERT(found.size() == row.size());
    for (size_t j = 0; j < row.size(); ++j) {
      RC_ASSERT(std::abs(found[j] - std::exp(-row[j] / temperature + *low / temperature) / sum) < 1e-9);
    }
  }));
}

TEST(LayerMatching, ProbabilitiesSumToOneAndFallWithTheKl) {
  EXPECT_TRUE(rc::check([] {
    const auto c = any_case();
    const double temperature = *rc::gen::element(0.0, 0.5, 3.0);
    const auto p = matching_probabilities(c.kl, {temperature});
    RC_ASSERT(std::abs(std::accumulate(p.begin(), p.end(), 0.0) - 1) < 1e-12);
    for (size_t i = 0; i < p.size(); ++i) {
      for (size_t j = 0; j < p.size(); ++j) RC_ASSERT(c.kl[i] >= c.kl[j] || p[i] > p[j]);
    }
  }));
}

TEST(LayerMatching, AdaptiveTemperatureMakesTheSpreadIrrelevant) {
  // The least and the greatest KL differ by two temperatures, whatever their unit: their odds are e².
  for (const double unit : {1.0, 1000.0}) {
    const std::vector<double> kl{unit, 2 * unit, 3 * unit};
    const auto p = matching_probabilities(kl, {0});
    EXPECT_NEAR(p[0] / p[2], std::exp(2.0), 1e-4);
  }
  const std::vector<double> equal(4, 2.0);
  for (const double p : matching_probabilities(equal, {0})) EXPECT_DOUBLE_EQ(p, 0.25);
}

TEST(LayerMatching, FixedTemperatureIsTakenAsItIs) {
  const std::vector<double> kl{1, 2};
  const auto p = matching_probabilities(kl, {0.5});
  EXPECT_NEAR(p[0] / p[1], std::exp(2.0), 1e-12);
}

TEST(LayerMatching, DrawsAsOftenAsTheProbabilitiesSay) {
  const std::vector<double> kl{0.3, 1.1, 0.2, 0.9, 2.5, 0.6};
  const auto p = matching_probabilities(kl, {0});
  constexpr int kDraws = 60000;
  std::vector<int> counts(kl.size());
  Random random(11);
  for (int i = 0; i < kDraws; ++i) ++counts[match_layers(kl, 1, 6, {}, random).front().teacher];
  double chi_square = 0;
  for (size_t j = 0; j < kl.size(); ++j) chi_square += std::pow(counts[j] - kDraws * p[j], 2) / (kDraws * p[j]);
  // The 0.999 quantile of chi-square with five degrees of freedom; the seed is fixed.
  EXPECT_LT(chi_square, 20.52);
}

TEST(LayerMatching, BottomOneTakesTheNearestThatTheOrderLeaves) {
  const std::vector<double> kl{5, 1, 4, 0,  //
                               0, 0, 3, 2};
  const auto matches = matches_of({2, 4, kl, 1}, rule("bottom_1"));
  EXPECT_EQ(matches[0].teacher, 1);  // 3 is kept for the second student layer
  EXPECT_EQ(matches[1].teacher, 3);  // 0 and 1 lie behind
}

TEST(LayerMatching, BottomOneTakesTheShallowerOfEquals) {
  EXPECT_EQ(matches_of({1, 3, {2, 1, 1}, 1}, rule("bottom_1")).front().teacher, 1);
}

TEST(LayerMatching, BottomThreeSharesTheWeightAmongTheNearest) {
  EXPECT_TRUE(rc::check([] {
    const auto c = any_case();
    const auto matches = matches_of(c, rule("bottom_3"));
    std::vector<double> weights(c.num_student);
    std::vector<int> counts(c.num_student);
    for (const auto& match : matches) {
      RC_ASSERT(0 <= match.teacher);
      RC_ASSERT(match.teacher < c.num_teacher);
      weights[match.student] += match.weight;
      ++counts[match.student];
    }
    for (int64_t s = 0; s < c.num_student; ++s) {
      RC_ASSERT(std::abs(weights[s] - 1) < 1e-12);
      RC_ASSERT(1 <= counts[s]);
      RC_ASSERT(counts[s] <= 3);
    }
  }));
  const auto matches = matches_of({1, 5, {3, 0, 9, 1, 2}, 1}, rule("bottom_3"));
  ASSERT_EQ(matches.size(), 3);
  EXPECT_EQ(matches[0].teacher, 1);
  EXPECT_EQ(matches[1].teacher, 3);
  EXPECT_EQ(matches[2].teacher, 4);
  EXPECT_DOUBLE_EQ(matches[0].weight, 1.0 / 3);
}

TEST(LayerMatching, UniformSpacesTheLayersEvenly) {
  const auto matches = matches_of({3, 7, std::vector<double>(21, 1.0), 1}, rule("uniform"));
  ASSERT_EQ(matches.size(), 3);
  for (int64_t s = 0; s < 3; ++s) EXPECT_EQ(matches[s].teacher, 2 * s);
}

TEST(LayerMatching, RandomTakesEveryTeacherLayerEquallyOften) {
  // The KL is no argument for any of them.
  const std::vector<double> kl{0, 100, 100, 100};
  std::vector<int> counts(4);
  Random random(3);
  constexpr int kDraws = 40000;
  for (int i = 0; i < kDraws; ++i) ++counts[match_layers(kl, 1, 4, rule("random"), random).front().teacher];
  double chi_square = 0;
  for (const int count : counts) chi_square += std::pow(count - kDraws / 4.0, 2) / (kDraws / 4.0);
  EXPECT_LT(chi_square, 16.27);  // the 0.999 quantile with three degrees of freedom; the seed is fixed
}

TEST(LayerMatching, WithoutItsConstraintsMayTakeAnyLayerTwice) {
  MatchingConfig config = rule("bottom_1");
  config.search_range = config.order_preservation = false;
  const auto matches = matches_of({2, 3, {9, 9, 0, 9, 9, 0}, 1}, config);
  EXPECT_EQ(matches[0].teacher, 2);
  EXPECT_EQ(matches[1].teacher, 2);
}

TEST(LayerMatching, WithoutTheSearchRangeKeepsTheDeepestLayerAsTheLastCandidate) {
  MatchingConfig config = rule("bottom_1");
  config.search_range = false;
  const auto matches = matches_of({2, 3, {9, 9, 0, 0, 0, 9}, 1}, config);
  EXPECT_EQ(matches[0].teacher, 2);
  EXPECT_EQ(matches[1].teacher, 2);
}

TEST(LayerMatching, WithoutOrderPreservationStillLeavesOutWhatTheSearchRangeForbids) {
  MatchingConfig config = rule("bottom_1");
  config.order_preservation = false;
  const auto matches = matches_of({2, 3, {9, 1, 0, 0, 9, 9}, 1}, config);
  EXPECT_EQ(matches[0].teacher, 1);
  EXPECT_EQ(matches[1].teacher, 0);
}

TEST(LayerMatching, IsAFunctionOfTheGeneratorsState) {
  EXPECT_TRUE(rc::check([] {
    const auto c = any_case();
    Random random(c.seed);
    match_layers(c.kl, c.num_student, c.num_teacher, {}, random);
    const auto state = random.state();
    const auto draws = [&](Random& generator) {
      std::vector<int64_t> layers;
      for (int i = 0; i < 5; ++i) {
        for (const auto& match : match_layers(c.kl, c.num_student, c.num_teacher, {}, generator))
          layers.push_back(match.teacher);
      }
      return layers;
    };
    Random restored(0);
    RC_ASSERT(restored.restore(state));
    RC_ASSERT(draws(random) == draws(restored));
  }));
}

TEST(LayerMatching, DrawsAsManyNumbersAsItSays) {
  for (const auto& [kind, meaning, match, draws, weighs] : matching_rules()) {
    EXPECT_TRUE(rc::check([&] {
      const auto c = any_case();
      Random matched(c.seed), skipped(c.seed);
      match_layers(c.kl, c.num_student, c.num_teacher, rule(kind), matched);
      skipped.skip(num_draws(rule(kind), c.num_student));
      RC_ASSERT(matched.state() == skipped.state());
    })) << kind;
  }
}

TEST(LayerMatching, RefusesMoreStudentThanTeacherLayers) {
  EXPECT_THROW(matches_of({3, 2, std::vector<double>(6), 1}), c10::Error);
  EXPECT_THROW(matches_of({0, 2, {}, 1}), c10::Error);
  EXPECT_THROW(matches_of({2, 3, std::vector<double>(5), 1}), c10::Error);
  EXPECT_THROW(pair_probabilities(std::vector<double>(6), 3, 2, {}), c10::Error);
}

}  // namespace
}  // namespace vlsi
