// Seeded random numbers: the same everywhere, and restorable.
#include "base/random.h"

#include <gtest/gtest.h>

#include <set>
#include <string>
#include <vector>

namespace vlsi {
namespace {

std::vector<double> draws(Random& random, int count) {
  std::vector<double> values;
  for (int i = 0; i < count; ++i) values.push_back(random.uniform());
  return values;
}

TEST(Random, IsTheStandardsGenerator) {
  // The C++ standard fixes the 10000th number of mt19937_64 with seed 5489.
  Random random(5489);
  draws(random, 9999);
  EXPECT_EQ(random.uniform(), static_cast<double>(9981545732273789042ULL >> 11) * 0x1.0p-53);
}

TEST(Random, StaysBelowOneAndFillsTheInterval) {
  Random random(1);
  double sum = 0;
  for (const double value : draws(random, 10000)) {
    ASSERT_GE(value, 0);
    ASSERT_LT(value, 1);
    sum += value;
  }
  // The mean of 10000 uniform numbers has a standard deviation of 0.0029; the seed is fixed.
  EXPECT_NEAR(sum / 10000, 0.5, 0.01);
}

TEST(Random, SkipsNumbersAsIfTheyHadBeenAskedFor) {
  Random asked(7), skipped(7);
  draws(asked, 1000);
  skipped.skip(999);
  skipped.skip(0);
  skipped.skip(1);
  EXPECT_EQ(skipped.state(), asked.state());
  EXPECT_EQ(skipped.uniform(), asked.uniform());
}

TEST(Random, ContinuesFromASavedState) {
  Random random(7);
  draws(random, 100);
  const auto state = random.state();
  const auto expected = draws(random, 1000);
  Random other(8);
  ASSERT_TRUE(other.restore(state));
  EXPECT_EQ(draws(other, 1000), expected);
}

TEST(Random, KeepsItsStateWhenAnotherCannotBeRead) {
  Random random(7), untouched(7);
  EXPECT_FALSE(random.restore(""));
  EXPECT_FALSE(random.restore("no state"));
  EXPECT_FALSE(random.restore("1 2 3"));
  EXPECT_EQ(draws(random, 10), draws(untouched, 10));
}

TEST(DeriveSeed, DiffersByPurposeAndBySeed) {
  std::set<uint64_t> seeds;
  for (uint64_t seed = 0; seed < 100; ++seed) {
    for (const char* purpose : {"", "matching", "lora", "data of interact", "data of finetune"}) {
      seeds.insert(derive_seed(seed, purpose));
    }
  }
  EXPECT_EQ(seeds.size(), 500);
  EXPECT_EQ(derive_seed(1, "matching"), derive_seed(1, "matching"));
}

}  // namespace
}  // namespace vlsi
