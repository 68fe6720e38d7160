// The expectation of Algorithm 1 over its draws, against their enumeration and against the draws themselves.
#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <numeric>
#include <span>
#include <vector>

#include "objective/layer_matching.h"
#include "tests/support/rapidcheck_seed.h"

namespace vlsi {
namespace {

/// A matrix with more teacher than student layers, and which constraints hold.
struct ConstrainedCase {
  int64_t num_student, num_teacher;
  std::vector<double> kl;
  MatchingConfig config;
};

ConstrainedCase any_constrained_case(int64_t max_student, int64_t max_teacher) {
  ConstrainedCase c;
  c.num_student = *rc::gen::inRange<int64_t>(1, max_student + 1);
  c.num_teacher = *rc::gen::inRange<int64_t>(c.num_student, max_teacher + 1);
  for (int64_t i = 0; i < c.num_student * c.num_teacher; ++i) c.kl.push_back(*rc::gen::inRange(0, 4000) / 1000.0);
  c.config.search_range = *rc::gen::arbitrary<bool>();
  c.config.order_preservation = *rc::gen::arbitrary<bool>();
  c.config.temperature = {*rc::gen::element(0.0, 0.5, 3.0)};
  return c;
}

std::vector<double> probabilities_of(const ConstrainedCase& c) {
  return pair_probabilities(c.kl, c.num_student, c.num_teacher, c.config);
}

/// Adds, for every path of matches from layer `s` on, the path's probability to each of its pairs, and the probability
/// times the path's summed KL to `expected_loss`: the definition of the expectation, by enumeration.
void enumerate_paths(const ConstrainedCase& c, int64_t s, int64_t start, double probability, std::vector<int64_t>& path,
                     std::vector<double>& weights, double& expected_loss) {
  const int64_t num_teacher = c.num_teacher;
  if (s == c.num_student) {
    for (int64_t i = 0; i < s; ++i) {
      weights[i * num_teacher + path[i]] += probability;
      expected_loss += probability * c.kl[i * num_teacher + path[i]];
    }
    return;
  }
  const int64_t last = c.config.search_range ? num_teacher - c.num_student + s : num_teacher - 1;
  const int64_t first = std::min(start, last);
  const std::span<const double> row(c.kl.data() + s * num_teacher + first, last - first + 1);
  const auto p = matching_probabilities(row, c.config.temperature);
  for (int64_t j = first; j <= last; ++j) {
    path.push_back(j);
    enumerate_paths(c, s + 1, c.config.order_preservation ? j + 1 : 0, probability * p[j - first], path, weights,
                    expected_loss);
    path.pop_back();
  }
}

TEST(ExpectedMatching, IsTheMeanOverEveryPathOfDraws) {
  EXPECT_TRUE(rc::check([] {
    const auto c = any_constrained_case(4, 6);
    std::vector<double> weights(c.kl.size());
    double expected_loss = 0;
    std::vector<int64_t> path;
    enumerate_paths(c, 0, 0, 1.0, path, weights, expected_loss);
    const auto found = probabilities_of(c);
    double loss = 0;
    for (size_t i = 0; i < weights.size(); ++i) {
      // At most 6^4 products of four probabilities, in float64.
      RC_ASSERT(std::abs(found[i] - weights[i]) < 1e-12);
      loss += found[i] * c.kl[i];
    }
    RC_ASSERT(std::abs(loss - expected_loss) < 1e-11);
  }));
}

TEST(ExpectedMatching, WeighsPairsAsOftenAsTheDrawsMatchThem) {
  const std::vector<double> kl{0.3, 1.1, 0.2, 0.9, 2.5, 0.6,  //
                               1.0, 0.4, 0.8, 0.1, 0.7, 1.9,  //
                               2.2, 1.3, 0.5, 0.6, 0.9, 0.2};
  constexpr int kDraws = 60000;
  for (const bool search_range : {true, false}) {
    for (const bool order_preservation : {true, false}) {
      MatchingConfig config;
      config.search_range = search_range;
      config.order_preservation = order_preservation;
      const auto p = pair_probabilities(kl, 3, 6, config);
      std::vector<int> counts(18);
      Random random(17);
      for (int i = 0; i < kDraws; ++i) {
        for (const auto& match : match_layers(kl, 3, 6, config, random)) ++counts[match.student * 6 + match.teacher];
      }
      for (int64_t s = 0; s < 3; ++s) {
        double chi_square = 0;
        for (int64_t j = 0; j < 6; ++j) {
          const double wanted = kDraws * p[s * 6 + j];
          if (wanted > 0) {
            chi_square += std::pow(counts[s * 6 + j] - wanted, 2) / wanted;
          } else {
            EXPECT_EQ(counts[s * 6 + j], 0);
          }
        }
        // The 0.999 quantile of chi-square with five degrees of freedom, the most that six layers leave; the seed is
        // fixed.
        EXPECT_LT(chi_square, 20.52) << "layer " << s << ", " << search_range << order_preservation;
      }
    }
  }
}

TEST(ExpectedMatching, GivesEachStudentLayerTheWeightOneWithinItsRange) {
  EXPECT_TRUE(rc::check([] {
    const auto c = any_constrained_case(8, 20);
    const auto p = probabilities_of(c);
    const int64_t num_student = c.num_student, num_teacher = c.num_teacher;
    for (int64_t s = 0; s < num_student; ++s) {
      const auto row = p.begin() + s * num_teacher;
      RC_ASSERT(std::abs(std::accumulate(row, row + num_teacher, 0.0) - 1) < 1e-12);
      for (int64_t j = 0; j < num_teacher; ++j) {
        RC_ASSERT(row[j] >= 0);
        if (c.config.search_range && j > num_teacher - num_student + s) RC_ASSERT(row[j] == 0);
        // Every layer before took one of its own.
        if (c.config.search_range && c.config.order_preservation && j < s) RC_ASSERT(row[j] == 0);
      }
    }
  }));
}

TEST(ExpectedMatching, OfEquallyManyLayersIsTheDiagonal) {
  EXPECT_TRUE(rc::check([] {
    auto c = any_constrained_case(6, 6);
    c.num_teacher = c.num_student;
    c.kl.resize(c.num_student * c.num_student);
    c.config.search_range = c.config.order_preservation = true;
    const auto p = probabilities_of(c);
    for (int64_t s = 0; s < c.num_student; ++s) {
      for (int64_t j = 0; j < c.num_student; ++j) RC_ASSERT(p[s * c.num_student + j] == (s == j ? 1.0 : 0.0));
    }
  }));
}

TEST(ExpectedMatching, WithoutConstraintsIsEachRowsSoftmax) {
  const std::vector<double> kl{0.3, 1.1, 0.2, 2.0, 0.1, 0.7};
  MatchingConfig config;
  config.search_range = config.order_preservation = false;
  const auto p = pair_probabilities(kl, 2, 3, config);
  for (int64_t s = 0; s < 2; ++s) {
    const auto row = matching_probabilities(std::span(kl).subspan(s * 3, 3), {0});
    for (int64_t j = 0; j < 3; ++j) EXPECT_EQ(p[s * 3 + j], row[j]);
  }
}

TEST(ExpectedMatching, GivesThePairsWithTheirWeightsAndDrawsNothing) {
  EXPECT_TRUE(rc::check([] {
    auto c = any_constrained_case(5, 8);
    c.config.rule = ChosenRule("expected");
    Random random(3);
    const auto before = random.state();
    const auto matches = match_layers(c.kl, c.num_student, c.num_teacher, c.config, random);
    RC_ASSERT(random.state() == before);
    auto p = probabilities_of(c);
    for (const auto& match : matches) {
      double& left = p[match.student * c.num_teacher + match.teacher];
      RC_ASSERT(match.weight > 0);
      RC_ASSERT(match.weight == left);
      left = 0;
    }
    for (const double left : p) RC_ASSERT(left == 0);
  }));
}

}  // namespace
}  // namespace vlsi
