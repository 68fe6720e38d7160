#include "text/word_cache.h"

#include <algorithm>

namespace vlsi {

WordCache::WordCache() : slots_(std::make_unique<Slot[]>(size_t{1} << kSlotBits)) {}

size_t WordCache::first_slot(const Key& key) {
  uint64_t hash = 0;
  for (const uint64_t part : key.parts) {
    hash = (hash ^ part) * 0x9E3779B97F4A7C15u;
    hash ^= hash >> 32;
  }
  return hash & ((size_t{1} << kSlotBits) - 1);
}

bool WordCache::append(const Key& key, std::vector<int32_t>& ids) const {
  const size_t first = first_slot(key);
  for (int probe = 0; probe < kNumProbes; ++probe) {
    const Slot& slot = slots_[first ^ probe];
    if (slot.state.load(std::memory_order_acquire) != kReady) return false;
    if (slot.key == key) {
      ids.insert(ids.end(), slot.ids.begin(), slot.ids.begin() + slot.num_ids);
      return true;
    }
  }
  return false;
}

void WordCache::insert(const Key& key, std::span<const int32_t> ids) {
  if (ids.size() > kMaxIds) return;
  const size_t first = first_slot(key);
  for (int probe = 0; probe < kNumProbes; ++probe) {
    Slot& slot = slots_[first ^ probe];
    uint8_t expected = kFree;
    if (!slot.state.compare_exchange_strong(expected, kBeingWritten, std::memory_order_relaxed)) continue;
    slot.key = key;
    std::copy(ids.begin(), ids.end(), slot.ids.begin());
    slot.num_ids = static_cast<uint8_t>(ids.size());
    slot.state.store(kReady, std::memory_order_release);
    return;
  }
}

}  // namespace vlsi
