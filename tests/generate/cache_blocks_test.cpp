// Blocks against a plain account of their users and contents, under random uses.
#include "generate/cache_blocks.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include <map>
#include <set>

namespace vlsi {
namespace cache_blocks_tests {

TEST(CacheBlocks, ForgetsTheLongestUnusedContentsFirst) {
  CacheBlocks blocks(3);
  for (BlockKey key = 1; key <= 3; ++key) blocks.remember(*blocks.take(), key);
  EXPECT_FALSE(blocks.take());
  for (const int32_t block : {1, 0, 2}) blocks.release(block);
  EXPECT_EQ(blocks.num_free(), 3);
  EXPECT_EQ(blocks.find(2), 1);  // in use again, so it goes behind the others
  blocks.release(1);
  EXPECT_EQ(blocks.take(), 0);
  EXPECT_FALSE(blocks.knows(1));
  EXPECT_TRUE(blocks.knows(2) && blocks.knows(3));
}

TEST(CacheBlocks, ForgetsTheEndOfASequenceFirst) {
  CacheBlocks blocks(3);
  std::vector<int32_t> sequence;
  for (BlockKey key = 1; key <= 3; ++key) blocks.remember(sequence.emplace_back(*blocks.take()), key);
  blocks.release_all(sequence);
  EXPECT_EQ(blocks.take(), sequence[2]);
  EXPECT_TRUE(blocks.knows(1) && blocks.knows(2));
  EXPECT_FALSE(blocks.knows(3));
}

TEST(CacheBlocks, KeepsTheFirstOfTwoBlocksWithEqualContents) {
  CacheBlocks blocks(2);
  const auto first = *blocks.take(), second = *blocks.take();
  blocks.remember(first, 7);
  blocks.remember(second, 7);
  blocks.release(second);
  EXPECT_EQ(blocks.find(7), first);
  EXPECT_EQ(blocks.take(), second);  // it has no contents
  EXPECT_TRUE(blocks.is_shared(first));
}

RC_GTEST_PROP(CacheBlocks, CountUsersAndFindContents, ()) {
  const auto size = *rc::gen::inRange<int64_t>(1, 6);
  CacheBlocks blocks(size);
  std::map<int32_t, int> users;
  std::map<int32_t, BlockKey> contents;
  for (const auto& [kind, number] : *rc::gen::container<std::vector<std::pair<int, int>>>(
           rc::gen::pair(rc::gen::inRange(0, 4), rc::gen::inRange(0, 8)))) {
    int64_t in_use = 0;
    for (const auto& [block, count] : users) in_use += count > 0;
    RC_ASSERT(blocks.num_free() == size - in_use);
    const auto block = static_cast<int32_t>(number % size);
    const auto key = static_cast<BlockKey>(number + 1);
    if (kind == 0) {
      const auto taken = blocks.take();
      RC_ASSERT(taken.has_value() == (in_use < size));
      if (!taken) continue;
      RC_ASSERT(users[*taken] == 0);
      users[*taken] = 1;
      contents.erase(*taken);
    } else if (kind == 1 && users[block] > 0) {
      blocks.release(block);
      --users[block];
    } else if (kind == 2 && users[block] > 0 && !blocks.knows(key) && !contents.contains(block)) {
      blocks.remember(block, key);
      contents[block] = key;
    } else if (kind == 3) {
      const auto found = blocks.find(key);
      RC_ASSERT(found.has_value() ==
                std::any_of(contents.begin(), contents.end(), [&](const auto& known) { return known.second == key; }));
      if (!found) continue;
      RC_ASSERT(contents.at(*found) == key);
      ++users[*found];
    }
  }
}

}  // namespace cache_blocks_tests
}  // namespace vlsi
