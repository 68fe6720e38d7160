#include "data/decoded_rows.h"

#include <iterator>
#include <limits>

namespace vlsi {

int64_t DecodedRowsCache::new_file() {
  const std::scoped_lock lock(mutex_);
  return num_files_++;
}

std::shared_ptr<const DecodedRows> DecodedRowsCache::find(const Key& key, int64_t row) {
  const std::scoped_lock lock(mutex_);
  const auto behind = places_.upper_bound({key, row});
  if (behind == places_.begin()) return nullptr;
  const auto& [place, entry] = *std::prev(behind);
  if (place.first != key || row >= entry->rows->end) return nullptr;
  entries_.splice(entries_.begin(), entries_, entry);
  return entry->rows;
}

void DecodedRowsCache::add(const Key& key, std::shared_ptr<const DecodedRows> rows) {
  const std::scoped_lock lock(mutex_);
  const Place place{key, rows->first};
  if (const auto found = places_.find(place); found != places_.end()) remove(found->second);
  num_bytes_ += rows->num_bytes;
  entries_.push_front({place, std::move(rows)});
  places_[place] = entries_.begin();
  while (num_bytes_ > most_bytes_ && entries_.size() > 1) remove(std::prev(entries_.end()));
}

void DecodedRowsCache::forget(int64_t file) {
  const std::scoped_lock lock(mutex_);
  constexpr auto kLeast = std::numeric_limits<int32_t>::min();
  auto next = places_.lower_bound({{file, kLeast, kLeast}, std::numeric_limits<int64_t>::min()});
  while (next != places_.end() && next->first.first.file == file) {
    const auto entry = next->second;
    ++next;
    remove(entry);
  }
}

void DecodedRowsCache::remove(std::list<Entry>::iterator entry) {
  num_bytes_ -= entry->rows->num_bytes;
  places_.erase(entry->place);
  entries_.erase(entry);
}

}  // namespace vlsi
