#include "family/qwen2_vl/tower.h"

#include <ATen/ATen.h>

#include "model/fused.h"

namespace vlsi {
namespace {

constexpr double kNormEps = 1e-6;

}  // namespace

Qwen2VlBlock::Qwen2VlBlock(const Qwen2VlConfig& config) {
  const int64_t width = config.embed_dim;
  norm1_ = register_module("norm1", std::make_shared<LayerNorm>(width, kNormEps));
  norm2_ = register_module("norm2", std::make_shared<LayerNorm>(width, kNormEps));
  attention_ = register_module("attn", std::make_shared<QwenVisionAttention>(config));
  const auto mlp = register_module("mlp", std::make_shared<Module>());
  fc1_ = mlp->register_module("fc1", std::make_shared<Linear>(width, config.mlp_size(), /*with_bias=*/true));
  fc2_ = mlp->register_module("fc2", std::make_shared<Linear>(config.mlp_size(), width, /*with_bias=*/true));
}

at::Tensor Qwen2VlBlock::forward(const at::Tensor& x, const RotaryTable& rotary,
                                 const std::vector<SequenceRun>& frames) const {
  const auto y = x + attention_->forward(norm1_->forward(x), rotary, frames);
  return y + fc2_->forward(quick_gelu(fc1_->forward(norm2_->forward(y))));
}

Qwen2VlTower::Qwen2VlTower(const Qwen2VlConfig& config) : config_(config) {
  patch_embed_ = register_module("patch_embed", std::make_shared<QwenPatchEmbedding>(config, /*with_bias=*/false));
  const auto list = register_module("blocks", std::make_shared<Module>());
  for (int64_t i = 0; i < config.depth; ++i) {
    blocks_.push_back(list->register_module(std::to_string(i), std::make_shared<Qwen2VlBlock>(config)));
  }
}

at::Tensor Qwen2VlTower::encode(const at::Tensor& patches, std::span<const PictureShape> pictures) const {
  const auto frames = find_runs(frame_starts(pictures, patches.size(0)));
  const auto rotary = vision_rotary_table(pictures, config_.spatial_merge_size, config_.head_dim(),
                                          at::TensorOptions(patches.device()).dtype(at::kFloat));
  auto x = patch_embed_->forward(patches);
  for (const auto& block : blocks_) x = block->forward(x, rotary, frames);
  return x;
}

std::string Qwen2VlTower::settings_text() const {
  return concat("heads ", config_.num_heads, ", merge ", config_.spatial_merge_size);
}

Cost Qwen2VlTower::cost(double num_patches, double largest) const {
  // Of the FFN: its inner rows, their sigmoid with its input, and the product.
  return qwen_tower_cost(config_, num_values(*this), num_patches, largest, /*kept_inner=*/4);
}

Qwen2VlMerger::Qwen2VlMerger(const Qwen2VlConfig& config) : merged_size_(config.merged_size()) {
  merge_ = config.spatial_merge_size;
  norm_ = register_module("ln_q", std::make_shared<LayerNorm>(config.embed_dim, kNormEps));
  const auto mlp = register_module("mlp", std::make_shared<Module>());
  in_ = mlp->register_module("0", std::make_shared<Linear>(merged_size_, merged_size_, /*with_bias=*/true));
  out_ = mlp->register_module("2", std::make_shared<Linear>(merged_size_, config.hidden_size, /*with_bias=*/true));
}

PictureRows Qwen2VlMerger::project(const at::Tensor& features, std::span<const PictureShape>) const {
  const auto merged = norm_->forward(features).view({-1, merged_size_});
  return {out_->forward(at::gelu(in_->forward(merged))), {}};
}

Cost Qwen2VlMerger::cost(double num_patches) const {
  Cost cost;
  cost.operations = num_patches / patches_a_row() * 2 * num_values(*this);
  return cost;
}

}  // namespace vlsi
