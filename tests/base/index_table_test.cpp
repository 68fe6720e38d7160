#include "base/index_table.h"

#include <gtest/gtest.h>

#include <unordered_map>
#include <vector>

#include "base/random.h"

namespace vlsi {
namespace {

TEST(IndexTable, FindsNothingWhereNothingIs) {
  const auto never = [](int32_t) { return false; };
  EXPECT_EQ(IndexTable().find(0, never), -1);
  EXPECT_EQ(IndexTable(0).find(0, never), -1);
  EXPECT_EQ(IndexTable(5).find(7, never), -1);
}

TEST(IndexTable, EqualsAMapOnEntriesWhoseHashesCollide) {
  Random random(1);
  std::vector<uint64_t> keys(20'000);
  for (auto& key : keys) key = static_cast<uint64_t>(random.uniform() * 10'000);  // some come twice
  const auto hash = [](uint64_t key) { return key % 1000; };
  IndexTable table(keys.size());
  std::unordered_map<uint64_t, int32_t> map;
  const auto is = [&](uint64_t key) { return [&keys, key](int32_t index) { return keys[index] == key; }; };
  for (int32_t i = 0; i < std::ssize(keys); ++i) {
    table.insert(hash(keys[i]), i, is(keys[i]));
    map[keys[i]] = i;
  }
  for (uint64_t key = 0; key < 10'100; ++key) {
    const auto found = map.find(key);
    EXPECT_EQ(table.find(hash(key), is(key)), found == map.end() ? -1 : found->second) << key;
  }
}

}  // namespace
}  // namespace vlsi
