// Qwen2-VL's vision tower and merger: patches to rows of the decoder's width. (P patches, E tower width)
#pragma once

#include <ATen/core/Tensor.h>

#include <memory>
#include <string>
#include <vector>

#include "data/sample.h"
#include "model/attention.h"
#include "model/config.h"
#include "model/linear.h"
#include "model/module.h"
#include "model/rope.h"

namespace vlsi {

/// Layer norm (eps 1e-6) with parameters `weight`, `bias` [E].
class LayerNorm : public Module {
 public:
  explicit LayerNorm(int64_t width);
  at::Tensor forward(const at::Tensor& x) const;

 private:
  at::Tensor weight_, bias_;
};

/// x += attention(norm1 x); x += fc2(quick_gelu(fc1(norm2 x))). Every frame attends to itself alone.
class VisionBlock : public Module {
 public:
  explicit VisionBlock(const VisionConfig& config);
  at::Tensor forward(const at::Tensor& x, const RotaryTable& rotary, const std::vector<SequenceRun>& frames) const;

 private:
  int64_t num_heads_;
  std::shared_ptr<LayerNorm> norm1_, norm2_;
  std::shared_ptr<Linear> qkv_, proj_, fc1_, fc2_;
};

/// Parameter names are the checkpoint's below `visual.`; the merger is the part named `merger`.
class VisionTower : public Module {
 public:
  explicit VisionTower(const VisionConfig& config);

  /// The tower without its merger: patches [P, channels * temporal_patch * patch²] of pictures with their grids -> [P,
  /// E].
  at::Tensor encode(const at::Tensor& patches, const std::vector<ImageGrid>& grids) const;
  /// The merger: features [P, E] -> [P / merge², D].
  at::Tensor merge(const at::Tensor& features) const;

  /// Of all that `encode` depends on: its weights, its heads and the order of its patches.
  std::string fingerprint() const;

  bool is_frozen() const { return !patch_weight_.requires_grad(); }

 private:
  VisionConfig config_;
  at::Tensor patch_weight_;  // [E, channels, temporal_patch, patch, patch]
  std::vector<std::shared_ptr<VisionBlock>> blocks_;
  std::shared_ptr<LayerNorm> merger_norm_;
  std::shared_ptr<Linear> merger_in_, merger_out_;
};

}  // namespace vlsi
