// Qwen3-VL's vision tower and mergers. (P patches, E tower width, D decoder's width, S taps)
#pragma once

#include <ATen/core/Tensor.h>

#include <memory>
#include <span>
#include <vector>

#include "family/qwen3_vl/config.h"
#include "family/qwen_vision.h"
#include "model/norm.h"

namespace vlsi {

/// x += attention(norm1 x); x += fc2(gelu_tanh(fc1(norm2 x))). Every frame attends to itself alone.
class Qwen3VlBlock : public Module {
 public:
  explicit Qwen3VlBlock(const Qwen3VlConfig& config);
  at::Tensor forward(const at::Tensor& x, const RotaryTable& rotary, const std::vector<SequenceRun>& frames) const;

 private:
  std::shared_ptr<LayerNorm> norm1_, norm2_;
  std::shared_ptr<QwenVisionAttention> attention_;
  std::shared_ptr<Linear> fc1_, fc2_;
};

/// Rows of a square table [side², E], one for each patch of the pictures in the order of the patches: the table read
/// bilinearly at as many places as the picture has rows and columns, corner to corner. float32 sums.
at::Tensor interpolated_positions(const at::Tensor& table, std::span<const PictureShape> pictures, int64_t merge);

class Qwen3VlTower : public VisionTower {
 public:
  explicit Qwen3VlTower(const Qwen3VlConfig& config);

  /// Patches [P, channels * temporal_patch * patch²] -> [P, (1 + S) E]: the last block's rows, and beside them those
  /// behind each tapped block.
  at::Tensor encode(const at::Tensor& patches, std::span<const PictureShape> pictures) const override;
  int64_t patch_values() const override { return config_.patch_values(); }
  int64_t feature_width() const override;
  std::string settings_text() const override;
  Cost cost(double num_patches, double largest) const override;

 private:
  Qwen3VlConfig config_;
  std::shared_ptr<QwenPatchEmbedding> patch_embed_;
  at::Tensor positions_;  // [side², E]
  std::vector<std::shared_ptr<Qwen3VlBlock>> blocks_;
};

/// Features [P, E] -> [P / merge², D]: joined neighbours, normed before or after, through two linear maps.
class Qwen3VlMerger : public Module {
 public:
  Qwen3VlMerger(const Qwen3VlConfig& config, bool norms_joined);
  at::Tensor forward(const at::Tensor& features) const;

 private:
  int64_t merged_size_;
  bool norms_joined_;
  std::shared_ptr<LayerNorm> norm_;
  std::shared_ptr<Linear> fc1_, fc2_;
};

/// The merger of the last block's rows, and those of the taps, whose rows the decoder adds behind its first layers.
class Qwen3VlProjector : public Projector {
 public:
  explicit Qwen3VlProjector(const Qwen3VlConfig& config);

  PictureRows project(const at::Tensor& features, std::span<const PictureShape> pictures) const override;
  double patches_a_row() const override { return static_cast<double>(merge_ * merge_); }
  Cost cost(double num_patches) const override;

 private:
  int64_t merge_, width_;
  std::shared_ptr<Qwen3VlMerger> merger_;
  std::vector<std::shared_ptr<Qwen3VlMerger>> taps_;
};

}  // namespace vlsi
