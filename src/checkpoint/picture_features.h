// What a frozen vision tower made of pictures, in memory and on disk, so that a picture seen again is not encoded
// again. (E features' width)
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <mutex>
#include <unordered_map>

#include "checkpoint/feature_files.h"
#include "model/vision.h"

namespace vlsi {

/// Memory up to `capacity_bytes`, after which it takes nothing new, and, where `directory` is not empty, the files of
/// FeatureFiles below it, by the fingerprint of the tower's weights as they are when it is first asked.
class KeptPictureFeatures : public PictureFeatures {
 public:
  explicit KeptPictureFeatures(std::filesystem::path directory = {}, int64_t capacity_bytes = kCapacityBytes)
      : directory_(std::move(directory)), capacity_bytes_(capacity_bytes) {}

  /// Errors are those of FeatureFiles.
  at::Tensor of(const VisionTower& tower, uint64_t fingerprint, const at::Tensor& patches,
                const PictureShape& picture) override;

  static constexpr int64_t kCapacityBytes = int64_t{256} << 20;

 private:
  std::optional<at::Tensor> find(uint64_t fingerprint, at::Device device);
  void insert(uint64_t fingerprint, const at::Tensor& features, bool is_in_files);

  const std::filesystem::path directory_;
  const int64_t capacity_bytes_;
  std::mutex mutex_;  // of all below; not held while a picture is encoded
  int64_t size_bytes_ = 0;
  std::unordered_map<uint64_t, at::Tensor> features_;
  std::unique_ptr<FeatureFiles> files_;
};

/// Of all that `tower.encode` depends on.
std::string fingerprint(const VisionTower& tower);

}  // namespace vlsi
