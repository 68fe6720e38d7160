#include "family/qwen2_5_vl/tower.h"

#include <ATen/ATen.h>

#include <algorithm>

#include "base/contains.h"
#include "base/send.h"
#include "family/qwen2_5_vl/windows.h"
#include "model/fused.h"

namespace vlsi {
namespace {

constexpr double kNormEps = 1e-6;

}  // namespace

Qwen25VlBlock::Qwen25VlBlock(const Qwen25VlConfig& config) {
  const int64_t width = config.hidden_size, inner = config.intermediate_size;
  norm1_ = register_module("norm1", std::make_shared<RmsNormLayer>(width, kNormEps));
  norm2_ = register_module("norm2", std::make_shared<RmsNormLayer>(width, kNormEps));
  attention_ = register_module("attn", std::make_shared<QwenVisionAttention>(config));
  const auto mlp = register_module("mlp", std::make_shared<Module>());
  gate_ = mlp->register_module("gate_proj", std::make_shared<Linear>(width, inner, /*with_bias=*/true));
  up_ = mlp->register_module("up_proj", std::make_shared<Linear>(width, inner, /*with_bias=*/true));
  down_ = mlp->register_module("down_proj", std::make_shared<Linear>(inner, width, /*with_bias=*/true));
}

at::Tensor Qwen25VlBlock::forward(const at::Tensor& x, const RotaryTable& rotary,
                                  const std::vector<SequenceRun>& runs) const {
  const auto y = x + attention_->forward(norm1_->forward(x), rotary, runs);
  const auto normed = norm2_->forward(y);
  return y + down_->forward(swiglu(gate_->forward(normed), up_->forward(normed)));
}

Qwen25VlTower::Qwen25VlTower(const Qwen25VlConfig& config) : config_(config) {
  patch_embed_ = register_module("patch_embed", std::make_shared<QwenPatchEmbedding>(config, /*with_bias=*/false));
  const auto list = register_module("blocks", std::make_shared<Module>());
  for (int64_t i = 0; i < config.depth; ++i) {
    blocks_.push_back(list->register_module(std::to_string(i), std::make_shared<Qwen25VlBlock>(config)));
  }
}

bool Qwen25VlTower::sees_whole_frames(int64_t block) const { return contains(config_.fullatt_block_indexes, block); }

at::Tensor Qwen25VlTower::encode(const at::Tensor& patches, std::span<const PictureShape> pictures) const {
  const auto order = window_order(pictures, config_.spatial_merge_size, config_.window_cells());
  const auto cells = send(at::tensor(order.cells, at::kLong), patches.device());
  const int64_t cell = config_.spatial_merge_size * config_.spatial_merge_size;
  const auto in_order = [&](const at::Tensor& rows, const at::Tensor& of_cells) {
    return rows.view({-1, cell, rows.size(1)}).index_select(0, of_cells).view({rows.size(0), rows.size(1)});
  };
  // A frame's windows stay inside of it, so that its patches are neighbours in this order, too.
  const auto frames = find_runs(frame_starts(pictures, patches.size(0)));
  const auto windows = find_runs(order.starts);
  auto rotary = vision_rotary_table(pictures, config_.spatial_merge_size, config_.head_dim(),
                                    at::TensorOptions(patches.device()).dtype(at::kFloat));
  rotary = {in_order(rotary.cos, cells), in_order(rotary.sin, cells)};

  auto x = in_order(patch_embed_->forward(patches), cells);
  for (int64_t i = 0; i < config_.depth; ++i) {
    x = blocks_[static_cast<size_t>(i)]->forward(x, rotary, sees_whole_frames(i) ? frames : windows);
  }
  return in_order(x, cells.argsort());
}

std::string Qwen25VlTower::settings_text() const {
  std::string whole;
  for (const int64_t block : config_.fullatt_block_indexes) whole += concat(' ', block);
  return concat("heads ", config_.num_heads, ", merge ", config_.spatial_merge_size, ", window ", config_.window_size,
                ", whole frames in", whole);
}

Cost Qwen25VlTower::cost(double num_patches, double largest) const {
  // Of the FFN: gate, up and their product.
  auto cost = qwen_tower_cost(config_, num_values(*this), num_patches, largest, /*kept_inner=*/3);
  // Most blocks see a window in the place of a frame.
  const auto side = static_cast<double>(config_.window_cells() * config_.spatial_merge_size);
  double windowed = 0;
  for (int64_t i = 0; i < config_.depth; ++i) windowed += sees_whole_frames(i) ? 0 : 1;
  cost.operations -=
      num_patches * 4 * std::max(0.0, largest - side * side) * static_cast<double>(config_.hidden_size) * windowed;
  return cost;
}

Qwen25VlMerger::Qwen25VlMerger(const Qwen25VlConfig& config) : merged_size_(config.merged_size()) {
  merge_ = config.spatial_merge_size;
  norm_ = register_module("ln_q", std::make_shared<RmsNormLayer>(config.hidden_size, kNormEps));
  const auto mlp = register_module("mlp", std::make_shared<Module>());
  in_ = mlp->register_module("0", std::make_shared<Linear>(merged_size_, merged_size_, /*with_bias=*/true));
  out_ = mlp->register_module("2", std::make_shared<Linear>(merged_size_, config.out_hidden_size, /*with_bias=*/true));
}

PictureRows Qwen25VlMerger::project(const at::Tensor& features, std::span<const PictureShape>) const {
  const auto merged = norm_->forward(features).view({-1, merged_size_});
  return {out_->forward(at::gelu(in_->forward(merged))), {}};
}

Cost Qwen25VlMerger::cost(double num_patches) const {
  Cost cost;
  cost.operations = num_patches / patches_a_row() * 2 * num_values(*this);
  return cost;
}

}  // namespace vlsi
