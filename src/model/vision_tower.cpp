#include "model/vision_tower.h"

#include <ATen/ATen.h>

#include "model/fingerprint.h"
#include "model/fused.h"

namespace vlsi {

LayerNorm::LayerNorm(int64_t width) {
  weight_ = register_parameter("weight", at::empty({width}));
  bias_ = register_parameter("bias", at::empty({width}));
}

at::Tensor LayerNorm::forward(const at::Tensor& x) const {
  return at::layer_norm(x, {weight_.size(0)}, weight_, bias_, 1e-6);
}

VisionBlock::VisionBlock(const VisionConfig& config) : num_heads_(config.num_heads) {
  const int64_t width = config.embed_dim;
  norm1_ = register_module("norm1", std::make_shared<LayerNorm>(width));
  norm2_ = register_module("norm2", std::make_shared<LayerNorm>(width));
  const auto attention = register_module("attn", std::make_shared<Module>());
  qkv_ = attention->register_module("qkv", std::make_shared<Linear>(width, 3 * width, /*with_bias=*/true));
  proj_ = attention->register_module("proj", std::make_shared<Linear>(width, width, /*with_bias=*/true));
  const auto mlp = register_module("mlp", std::make_shared<Module>());
  fc1_ = mlp->register_module("fc1", std::make_shared<Linear>(width, config.mlp_size(), /*with_bias=*/true));
  fc2_ = mlp->register_module("fc2", std::make_shared<Linear>(config.mlp_size(), width, /*with_bias=*/true));
}

at::Tensor VisionBlock::forward(const at::Tensor& x, const RotaryTable& rotary,
                                const std::vector<SequenceRun>& frames) const {
  const int64_t num_patches = x.size(0), width = x.size(1);
  const auto qkv = qkv_->forward(norm1_->forward(x)).view({num_patches, 3, num_heads_, width / num_heads_}).unbind(1);
  // The rotation is computed in float32 whatever the activations' dtype.
  const auto turn = [&](const at::Tensor& heads) {
    return rotate(heads.to(rotary.cos.scalar_type()), rotary.cos, rotary.sin).to(x.scalar_type());
  };
  const auto attended = packed_attention(turn(qkv[0]), turn(qkv[1]), qkv[2], frames, /*causal=*/false);
  const auto y = x + proj_->forward(attended.reshape({num_patches, width}));
  const auto inner = fc1_->forward(norm2_->forward(y));
  return y + fc2_->forward(inner * at::sigmoid(inner * 1.702));
}

VisionTower::VisionTower(const VisionConfig& config) : config_(config) {
  const auto patch_embed = register_module("patch_embed", std::make_shared<Module>());
  const auto projection = patch_embed->register_module("proj", std::make_shared<Module>());
  patch_weight_ = projection->register_parameter(
      "weight", at::empty({config.embed_dim, config.in_channels, config.temporal_patch_size, config.patch_size,
                           config.patch_size}));
  const auto list = register_module("blocks", std::make_shared<Module>());
  for (int64_t i = 0; i < config.depth; ++i) {
    blocks_.push_back(list->register_module(std::to_string(i), std::make_shared<VisionBlock>(config)));
  }
  const auto merger = register_module("merger", std::make_shared<Module>());
  merger_norm_ = merger->register_module("ln_q", std::make_shared<LayerNorm>(config.embed_dim));
  const auto mlp = merger->register_module("mlp", std::make_shared<Module>());
  const int64_t merged = config.merged_size();
  merger_in_ = mlp->register_module("0", std::make_shared<Linear>(merged, merged, /*with_bias=*/true));
  merger_out_ = mlp->register_module("2", std::make_shared<Linear>(merged, config.hidden_size, /*with_bias=*/true));
}

at::Tensor VisionTower::encode(const at::Tensor& patches, const std::vector<ImageGrid>& grids) const {
  std::vector<int64_t> frame_starts{0};
  for (const auto& grid : grids) {
    for (int64_t frame = 0; frame < grid.t; ++frame) frame_starts.push_back(frame_starts.back() + grid.h * grid.w);
  }
  TORCH_CHECK(frame_starts.back() == patches.size(0), "the grids say ", frame_starts.back(), " patches, the rows are ",
              patches.size(0));
  const auto frames = find_runs(frame_starts);
  const auto rotary = vision_rotary_table(grids, config_, at::TensorOptions(patches.device()).dtype(at::kFloat));

  // A convolution whose stride is its kernel is this product.
  auto x = at::linear(patches.to(patch_weight_.scalar_type()), patch_weight_.flatten(1));
  for (const auto& block : blocks_) x = block->forward(x, rotary, frames);
  return x;
}

std::string VisionTower::fingerprint() const {
  Fingerprint of_all;
  of_all.add("heads, merge", at::tensor({config_.num_heads, config_.spatial_merge_size}, at::kLong));
  for (const auto& [name, weight] : named_parameters()) {
    if (!name.starts_with("merger.")) of_all.add(name, weight);
  }
  return of_all.text();
}

at::Tensor VisionTower::merge(const at::Tensor& features) const {
  const auto merged = merger_norm_->forward(features).view({-1, config_.merged_size()});
  return merger_out_->forward(at::gelu(merger_in_->forward(merged)));
}

}  // namespace vlsi
