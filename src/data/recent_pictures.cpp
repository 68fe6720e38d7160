#include "data/recent_pictures.h"

#include <ATen/core/Tensor.h>

namespace vlsi {

std::optional<RecentPictures::Key> RecentPictures::key_of(const Content& content, size_t num_pictures) {
  if (!content.picture_file.empty()) return std::nullopt;
  std::error_code no_size, no_time;
  Key key{content.image, std::filesystem::file_size(content.image, no_size),
          std::filesystem::last_write_time(content.image, no_time), content.limits, num_pictures};
  return no_size || no_time ? std::nullopt : std::optional(std::move(key));
}

PicturePatches RecentPictures::of(const Content& content, size_t num_pictures,
                                  const std::function<PicturePatches()>& read) {
  const auto key = key_of(content, num_pictures);
  if (!key) return read();
  {
    const std::scoped_lock lock(mutex_);
    if (const auto found = places_.find(*key); found != places_.end()) {
      entries_.splice(entries_.begin(), entries_, found->second);
      return entries_.front().patches;
    }
  }
  auto patches = read();
  const auto num_bytes = [](const PicturePatches& one) { return static_cast<int64_t>(one.rows.nbytes()); };
  if (num_bytes(patches) > capacity_bytes_) return patches;
  const std::scoped_lock lock(mutex_);
  const auto [place, is_new] = places_.try_emplace(*key);
  if (!is_new) return patches;  // another thread was faster
  entries_.push_front({*key, patches});
  place->second = entries_.begin();
  size_bytes_ += num_bytes(patches);
  while (size_bytes_ > capacity_bytes_) {
    size_bytes_ -= num_bytes(entries_.back().patches);
    places_.erase(entries_.back().key);
    entries_.pop_back();
  }
  return patches;
}

}  // namespace vlsi
