#include "checkpoint/picture_features.h"

#include <ATen/ATen.h>

#include "checkpoint/fingerprint.h"

namespace vlsi {

std::string tower_fingerprint(const VisionTower& tower) {
  Fingerprint of_all;
  of_all.add(tower.settings_text());
  for (const auto& [name, weight] : tower.named_parameters()) of_all.add(name, weight);
  return of_all.text();
}

at::Tensor KeptPictureFeatures::of(const VisionTower& tower, uint64_t fingerprint, const at::Tensor& patches,
                                   const PictureShape& picture) {
  {
    const std::lock_guard lock(mutex_);
    if (!directory_.empty() && !files_) {
      const auto dtype = tower.named_parameters().front().second.scalar_type();
      files_ = std::make_unique<FeatureFiles>(directory_, tower_fingerprint(tower), tower.feature_width(), dtype);
    }
    if (auto features = find(fingerprint, patches.device())) return *features;
  }
  auto features = tower.encode(patches, {&picture, 1});
  const std::lock_guard lock(mutex_);
  insert(fingerprint, features, /*is_in_files=*/false);
  return features;
}

std::optional<at::Tensor> KeptPictureFeatures::find(uint64_t picture, at::Device device) {
  if (const auto found = features_.find(picture); found != features_.end()) return found->second;
  auto features = files_ ? files_->find(picture) : std::nullopt;
  if (!features) return std::nullopt;
  features = features->to(device);
  insert(picture, *features, /*is_in_files=*/true);
  return features;
}

void KeptPictureFeatures::insert(uint64_t picture, const at::Tensor& features, bool is_in_files) {
  if (files_ && !is_in_files && !files_->find(picture)) files_->insert(picture, features);
  const auto bytes = static_cast<int64_t>(features.nbytes());
  if (size_bytes_ + bytes > capacity_bytes_) return;
  if (features_.emplace(picture, features).second) size_bytes_ += bytes;
}

}  // namespace vlsi
