// Bootstrap intervals against the normal approximation and by their properties.
#include "eval/interval.h"

#include <gtest/gtest.h>

#include <cmath>

namespace vlsi {
namespace {

double mean(std::span<const Sums> parts) { return parts[0].mean(); }

TEST(BootstrapInterval, IsNearTheNormalOneForManyQuestions) {
  std::vector<Unit> units;
  for (int i = 0; i < 2000; ++i) units.push_back({{{0, i % 4 == 0 ? 1.0 : 0.0, 1}}});
  const auto interval = bootstrap_interval(units, 1, mean);
  const double half_width = 1.96 * std::sqrt(0.25 * 0.75 / 2000);
  // The percentiles of 1,000 samples have a standard error of about 0.04 of the half width.
  EXPECT_NEAR(interval.low, 0.25 - half_width, 0.25 * half_width);
  EXPECT_NEAR(interval.high, 0.25 + half_width, 0.25 * half_width);
}

TEST(BootstrapInterval, DrawsUnitsAsAWhole) {
  std::vector<Unit> alone, pairs;
  for (int i = 0; i < 400; ++i) {
    const double right = i % 2;
    alone.push_back({{{0, right, 1}}});
    alone.push_back({{{0, right, 1}}});
    pairs.push_back({{{0, right, 1}, {0, right, 1}}});
  }
  const auto narrow = bootstrap_interval(alone, 1, mean), wide = bootstrap_interval(pairs, 1, mean);
  // A width between percentiles of 1,000 samples has a standard error of 3 %, and so the ratio one of 0.06: five of it.
  EXPECT_NEAR((wide.high - wide.low) / (narrow.high - narrow.low), std::sqrt(2), 0.3);
}

TEST(BootstrapInterval, IsThePointItselfWhereNothingVaries) {
  const std::vector<Unit> same(10, Unit{{{0, 1, 1}}});
  EXPECT_EQ(bootstrap_interval(same, 1, mean).low, 1);
  EXPECT_EQ(bootstrap_interval(same, 1, mean).high, 1);
  const std::vector<Unit> one{{{{0, 0.5, 1}}}};
  EXPECT_EQ(bootstrap_interval(one, 1, mean).low, 0.5);
  EXPECT_EQ(bootstrap_interval({}, 1, mean).high, 0);
}

}  // namespace
}  // namespace vlsi
