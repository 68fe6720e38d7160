#include "generate/cache_blocks.h"

#include <c10/util/Exception.h>

#include <algorithm>

namespace vlsi {

CacheBlocks::CacheBlocks(int64_t num_blocks) : blocks_(static_cast<size_t>(num_blocks)) {
  for (int64_t i = num_blocks - 1; i >= 0; --i) empty_.push_back(static_cast<int32_t>(i));
}

std::optional<int32_t> CacheBlocks::take() {
  int32_t block = 0;
  if (!empty_.empty()) {
    block = empty_.back();
    empty_.pop_back();
  } else if (!unused_.empty()) {
    block = unused_.front();
    unused_.pop_front();
    by_key_.erase(*blocks_[block].key);
    blocks_[block].key.reset();
  } else {
    return std::nullopt;
  }
  blocks_[block].num_users = 1;
  return block;
}

void CacheBlocks::share(int32_t block) {
  auto& shared = blocks_[block];
  if (shared.num_users == 0) unused_.erase(shared.place);
  ++shared.num_users;
}

void CacheBlocks::release(int32_t block) {
  auto& released = blocks_[block];
  TORCH_CHECK(released.num_users > 0, "block ", block, " has no user");
  if (--released.num_users > 0) return;
  if (released.key) {
    released.place = unused_.insert(unused_.end(), block);
  } else {
    empty_.push_back(block);
  }
}

void CacheBlocks::release_all(const std::vector<int32_t>& blocks) {
  std::for_each(blocks.rbegin(), blocks.rend(), [&](int32_t block) { release(block); });
}

void CacheBlocks::remember(int32_t block, BlockKey key) {
  auto& known = blocks_[block];
  TORCH_CHECK(known.num_users > 0, "block ", block, " has no user");
  if (known.key || !by_key_.emplace(key, block).second) return;
  known.key = key;
}

std::optional<int32_t> CacheBlocks::find(BlockKey key) {
  const auto found = by_key_.find(key);
  if (found == by_key_.end()) return std::nullopt;
  share(found->second);
  return found->second;
}

}  // namespace vlsi
