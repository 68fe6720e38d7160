// Qwen2-VL's vision tower and merger. (P patches, E tower width, D decoder's width)
#pragma once

#include <ATen/core/Tensor.h>

#include <memory>
#include <span>
#include <vector>

#include "family/qwen2_vl/config.h"
#include "family/qwen_vision.h"
#include "model/norm.h"

namespace vlsi {

/// x += attention(norm1 x); x += fc2(quick_gelu(fc1(norm2 x))). Every frame attends to itself alone.
class Qwen2VlBlock : public Module {
 public:
  explicit Qwen2VlBlock(const Qwen2VlConfig& config);
  at::Tensor forward(const at::Tensor& x, const RotaryTable& rotary, const std::vector<SequenceRun>& frames) const;

 private:
  std::shared_ptr<LayerNorm> norm1_, norm2_;
  std::shared_ptr<QwenVisionAttention> attention_;
  std::shared_ptr<Linear> fc1_, fc2_;
};

class Qwen2VlTower : public VisionTower {
 public:
  explicit Qwen2VlTower(const Qwen2VlConfig& config);

  /// Patches [P, channels * temporal_patch * patch²] -> [P, E].
  at::Tensor encode(const at::Tensor& patches, std::span<const PictureShape> pictures) const override;
  int64_t patch_values() const override { return config_.patch_values(); }
  int64_t feature_width() const override { return config_.embed_dim; }
  std::string settings_text() const override;
  Cost cost(double num_patches, double largest) const override;

 private:
  Qwen2VlConfig config_;
  std::shared_ptr<QwenPatchEmbedding> patch_embed_;
  std::vector<std::shared_ptr<Qwen2VlBlock>> blocks_;
};

/// Features [P, E] -> [P / merge², D]: neighbouring patches, normed and joined, through two linear maps.
class Qwen2VlMerger : public Projector {
 public:
  explicit Qwen2VlMerger(const Qwen2VlConfig& config);

  PictureRows project(const at::Tensor& features, std::span<const PictureShape> pictures) const override;
  double patches_a_row() const override { return static_cast<double>(merge_ * merge_); }
  Cost cost(double num_patches) const override;

 private:
  int64_t merge_, merged_size_;
  std::shared_ptr<LayerNorm> norm_;
  std::shared_ptr<Linear> in_, out_;
};

}  // namespace vlsi
