// Finds entries of a list by their content: a hash table of the entries' indices.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace vlsi {

/// Open addressing. The entries themselves are its owner's. Immutable once it is filled.
class IndexTable {
 public:
  IndexTable() = default;
  explicit IndexTable(size_t num_entries)
      : slots_(std::bit_ceil(2 * num_entries + 2), -1), shift_(64 - std::countr_zero(slots_.size())) {}

  /// The index of the entry with this hash of which is_it(index) holds; -1 without one.
  template <class IsIt>
  int32_t find(uint64_t hash, const IsIt& is_it) const {
    return slots_.empty() ? -1 : slots_[slot_of(hash, is_it)];
  }

  /// Adds entry `index`, in the place of the one of which is_it(index) holds, if any.
  template <class IsIt>
  void insert(uint64_t hash, int32_t index, const IsIt& is_it) {
    slots_[slot_of(hash, is_it)] = index;
  }

 private:
  /// The entry's slot, or the free one where it would be.
  template <class IsIt>
  size_t slot_of(uint64_t hash, const IsIt& is_it) const {
    size_t slot = (hash * 0x9E3779B97F4A7C15u) >> shift_;
    while (slots_[slot] >= 0 && !is_it(slots_[slot])) slot = (slot + 1) & (slots_.size() - 1);
    return slot;
  }

  std::vector<int32_t> slots_;  // -1 is free; a power of two, at least twice the entries
  int shift_ = 0;
};

}  // namespace vlsi
