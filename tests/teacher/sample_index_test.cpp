#include "teacher/sample_index.h"

#include <gtest/gtest.h>

#include <unordered_map>

#include "base/random.h"

namespace vlsi {
namespace {

TEST(SampleIndex, FindsNothingWhereNothingIs) {
  EXPECT_EQ(SampleIndex().size(), 0);
  EXPECT_FALSE(SampleIndex().find(0).has_value());
}

TEST(SampleIndex, EqualsAMapOnKeysThatCollide) {
  SampleIndex index;
  std::unordered_map<uint64_t, uint32_t> map;
  Random random(1);
  for (uint32_t i = 0; i < 20'000; ++i) {
    // Few low bits, so that many keys want the same slot; some come twice; zero is a key as any other.
    const auto key = static_cast<uint64_t>(random.uniform() * 3000) << 32 | static_cast<uint64_t>(random.uniform() * 4);
    EXPECT_EQ(index.insert(key, {i % 7, i}), map.emplace(key, i).second);
  }
  ASSERT_EQ(index.size(), std::ssize(map));
  for (const auto& [key, record] : map) {
    const auto found = index.find(key);
    ASSERT_TRUE(found.has_value());
    EXPECT_EQ(found->record, record);
    EXPECT_EQ(found->shard, record % 7);
    EXPECT_EQ(index.find(key + 8).has_value(), map.contains(key + 8));
  }
}

}  // namespace
}  // namespace vlsi
