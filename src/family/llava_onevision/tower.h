// SigLIP's vision tower: views of patches, each of which attends to itself alone. (P patches, E tower width)
#pragma once

#include <ATen/core/Tensor.h>

#include <memory>
#include <span>
#include <vector>

#include "family/llava_onevision/config.h"
#include "model/attention.h"
#include "model/linear.h"
#include "model/norm.h"
#include "model/vision.h"

namespace vlsi {

/// x += out(attention(layer_norm1 x)); x += fc2(tanh_gelu(fc1(layer_norm2 x))).
class SiglipLayer : public Module {
 public:
  explicit SiglipLayer(const LlavaOnevisionConfig& config);
  at::Tensor forward(const at::Tensor& x, const std::vector<SequenceRun>& views) const;

 private:
  int64_t num_heads_;
  std::shared_ptr<LayerNorm> norm1_, norm2_;
  std::shared_ptr<Linear> q_, k_, v_, out_, fc1_, fc2_;
};

/// The features are the last layer's output: `post_layernorm`, which files hold behind it, is kept and not used.
class SiglipTower : public VisionTower {
 public:
  explicit SiglipTower(const LlavaOnevisionConfig& config);

  /// Patches [P, channels * patch²] of whole views -> [P, E].
  at::Tensor encode(const at::Tensor& patches, std::span<const PictureShape> pictures) const override;
  int64_t patch_values() const override { return config_.patch_values(); }
  int64_t feature_width() const override { return config_.hidden_size; }
  std::string settings_text() const override;
  Cost cost(double num_patches, double largest) const override;

 private:
  LlavaOnevisionConfig config_;
  at::Tensor patch_weight_, patch_bias_, positions_;  // [E, channels, patch, patch], [E], [patches of a view, E]
  std::vector<std::shared_ptr<SiglipLayer>> layers_;
};

}  // namespace vlsi
