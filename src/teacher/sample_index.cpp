#include "teacher/sample_index.h"

#include <utility>

namespace vlsi {

size_t SampleIndex::slot_of(uint64_t sample) const {
  const size_t mask = slots_.size() - 1;
  size_t at = sample & mask;  // fingerprints are evenly spread as they are
  while (slots_[at].is_taken() && slots_[at].sample != sample) at = (at + 1) & mask;
  return at;
}

void SampleIndex::grow() {
  const auto before = std::exchange(slots_, std::vector<Slot>(slots_.empty() ? 64 : 2 * slots_.size()));
  for (const auto& slot : before) {
    if (slot.is_taken()) slots_[slot_of(slot.sample)] = slot;
  }
}

bool SampleIndex::insert(uint64_t sample, Place place) {
  if (2 * static_cast<size_t>(size_ + 1) > slots_.size()) grow();
  Slot& slot = slots_[slot_of(sample)];
  if (slot.is_taken()) return false;
  slot = {sample, {place.shard + 1, place.record}};
  ++size_;
  return true;
}

std::optional<SampleIndex::Place> SampleIndex::find(uint64_t sample) const {
  if (slots_.empty()) return std::nullopt;
  const Slot& slot = slots_[slot_of(sample)];
  if (!slot.is_taken()) return std::nullopt;
  return Place{slot.place.shard - 1, slot.place.record};
}

}  // namespace vlsi
