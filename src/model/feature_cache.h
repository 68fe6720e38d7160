// What a frozen vision tower said of each picture, so that a picture seen again is not looked at again. (E tower width)
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <optional>
#include <unordered_map>

namespace vlsi {

/// Tower outputs by the fingerprint of a picture's patches; full at `capacity_bytes`, after which it takes nothing new.
class FeatureCache {
 public:
  explicit FeatureCache(int64_t capacity_bytes) : capacity_bytes_(capacity_bytes) {}

  /// [P, E], or nothing.
  std::optional<at::Tensor> find(uint64_t picture) const;
  void insert(uint64_t picture, const at::Tensor& features);

 private:
  const int64_t capacity_bytes_;
  int64_t size_bytes_ = 0;
  std::unordered_map<uint64_t, at::Tensor> features_;
};

}  // namespace vlsi
