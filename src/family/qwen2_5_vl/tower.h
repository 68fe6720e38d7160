// Qwen2.5-VL's vision tower and merger. (P patches, E tower width, D decoder's width)
#pragma once

#include <ATen/core/Tensor.h>

#include <memory>
#include <span>
#include <vector>

#include "family/qwen2_5_vl/config.h"
#include "family/qwen_vision.h"
#include "model/norm.h"

namespace vlsi {

/// x += attention(norm1 x); x += down(silu(gate(norm2 x)) * up(norm2 x)); RMS norms, maps with biases.
class Qwen25VlBlock : public Module {
 public:
  explicit Qwen25VlBlock(const Qwen25VlConfig& config);
  at::Tensor forward(const at::Tensor& x, const RotaryTable& rotary, const std::vector<SequenceRun>& runs) const;

 private:
  std::shared_ptr<RmsNormLayer> norm1_, norm2_;
  std::shared_ptr<QwenVisionAttention> attention_;
  std::shared_ptr<Linear> gate_, up_, down_;
};

/// Most blocks attend within windows, those of fullatt_block_indexes within whole frames.
class Qwen25VlTower : public VisionTower {
 public:
  explicit Qwen25VlTower(const Qwen25VlConfig& config);

  /// Patches [P, channels * temporal_patch * patch²] -> [P, E].
  at::Tensor encode(const at::Tensor& patches, std::span<const PictureShape> pictures) const override;
  int64_t patch_values() const override { return config_.patch_values(); }
  int64_t feature_width() const override { return config_.hidden_size; }
  std::string settings_text() const override;
  Cost cost(double num_patches, double largest) const override;

 private:
  bool sees_whole_frames(int64_t block) const;

  Qwen25VlConfig config_;
  std::shared_ptr<QwenPatchEmbedding> patch_embed_;
  std::vector<std::shared_ptr<Qwen25VlBlock>> blocks_;
};

/// Features [P, E] -> [P / merge², D]: neighbouring patches, normed and joined, through two linear maps.
class Qwen25VlMerger : public Projector {
 public:
  explicit Qwen25VlMerger(const Qwen25VlConfig& config);

  PictureRows project(const at::Tensor& features, std::span<const PictureShape> pictures) const override;
  double patches_a_row() const override { return static_cast<double>(merge_ * merge_); }
  Cost cost(double num_patches) const override;

 private:
  int64_t merge_, merged_size_;
  std::shared_ptr<RmsNormLayer> norm_;
  std::shared_ptr<Linear> in_, out_;
};

}  // namespace vlsi
