#include "model/feature_cache.h"

#include <ATen/ATen.h>

namespace vlsi {

std::optional<at::Tensor> FeatureCache::find(uint64_t picture) const {
  const auto found = features_.find(picture);
  return found == features_.end() ? std::nullopt : std::optional(found->second);
}

void FeatureCache::insert(uint64_t picture, const at::Tensor& features) {
  const auto bytes = static_cast<int64_t>(features.nbytes());
  if (size_bytes_ + bytes > capacity_bytes_) return;
  if (features_.emplace(picture, features).second) size_bytes_ += bytes;
}

}  // namespace vlsi
