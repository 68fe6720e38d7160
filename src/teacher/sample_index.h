// Where each sample's record lies in a teacher cache: one flat hash table, found in constant time.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

namespace vlsi {

/// 32 to 64 bytes a sample while it grows, 16 a slot, at most half of them taken.
class SampleIndex {
 public:
  struct Place {
    uint32_t shard = 0, record = 0;
  };

  /// False, and nothing changes, when `sample` (its fingerprint) is there already.
  bool insert(uint64_t sample, Place place);
  std::optional<Place> find(uint64_t sample) const;
  int64_t size() const { return size_; }

 private:
  struct Slot {
    uint64_t sample = 0;
    Place place;
    bool is_taken() const { return place.shard != 0; }
  };

  /// The slot of `sample`, or the free one where it would stand. The table is never full.
  size_t slot_of(uint64_t sample) const;
  void grow();

  std::vector<Slot> slots_;  // a power of two; places hold the shard plus one
  int64_t size_ = 0;
};

}  // namespace vlsi
