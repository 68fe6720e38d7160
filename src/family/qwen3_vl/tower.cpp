#include "family/qwen3_vl/tower.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>

#include "base/contains.h"
#include "model/fused.h"

namespace vlsi {
namespace {

constexpr double kNormEps = 1e-6;

/// Where `count` places between the corners of a line of `side` entries stand.
struct Line {
  at::Tensor floor, ceil;  // [count] int64
  at::Tensor fraction;     // [count] f32, of the way from floor to ceil
};

Line read_line(int64_t count, int64_t side, at::Device device) {
  const auto steps = at::arange(count, at::TensorOptions(device).dtype(at::kFloat));
  const auto places = steps * static_cast<double>(side - 1) / static_cast<double>(std::max<int64_t>(count - 1, 1));
  const auto floor = places.to(at::kLong);
  return {floor, (floor + 1).clamp_max(side - 1), places - floor};
}

}  // namespace

Qwen3VlBlock::Qwen3VlBlock(const Qwen3VlConfig& config) {
  const int64_t width = config.hidden_size;
  norm1_ = register_module("norm1", std::make_shared<LayerNorm>(width, kNormEps));
  norm2_ = register_module("norm2", std::make_shared<LayerNorm>(width, kNormEps));
  attention_ = register_module("attn", std::make_shared<QwenVisionAttention>(config));
  const auto mlp = register_module("mlp", std::make_shared<Module>());
  fc1_ =
      mlp->register_module("linear_fc1", std::make_shared<Linear>(width, config.intermediate_size, /*with_bias=*/true));
  fc2_ =
      mlp->register_module("linear_fc2", std::make_shared<Linear>(config.intermediate_size, width, /*with_bias=*/true));
}

at::Tensor Qwen3VlBlock::forward(const at::Tensor& x, const RotaryTable& rotary,
                                 const std::vector<SequenceRun>& frames) const {
  const auto y = x + attention_->forward(norm1_->forward(x), rotary, frames);
  return y + fc2_->forward(gelu_tanh(fc1_->forward(norm2_->forward(y))));
}

at::Tensor interpolated_positions(const at::Tensor& table, std::span<const PictureShape> pictures, int64_t merge) {
  const auto side = static_cast<int64_t>(std::lround(std::sqrt(static_cast<double>(table.size(0)))));
  const int64_t width = table.size(1);
  std::vector<at::Tensor> rows;
  for (const auto& picture : pictures) {
    const auto grid = grid_of(picture);
    const auto y = read_line(grid.h, side, table.device()), x = read_line(grid.w, side, table.device());
    const auto tap = [&](const at::Tensor& row, const at::Tensor& row_weight, const at::Tensor& column,
                         const at::Tensor& column_weight) {
      const auto places = row.unsqueeze(1) * side + column.unsqueeze(0);
      const auto weights = row_weight.unsqueeze(1) * column_weight.unsqueeze(0);
      const auto values = at::embedding(table, places.flatten()).to(at::kFloat);
      return values * weights.flatten().unsqueeze(1);
    };
    const auto sum = tap(y.floor, 1 - y.fraction, x.floor, 1 - x.fraction) +
                     tap(y.floor, 1 - y.fraction, x.ceil, x.fraction) +
                     tap(y.ceil, y.fraction, x.floor, 1 - x.fraction) + tap(y.ceil, y.fraction, x.ceil, x.fraction);
    const auto blocks = sum.view({grid.h / merge, merge, grid.w / merge, merge, width}).transpose(1, 2);
    rows.push_back(blocks.reshape({grid.h * grid.w, width}).repeat({grid.t, 1}));
  }
  return at::cat(rows).to(table.scalar_type());
}

Qwen3VlTower::Qwen3VlTower(const Qwen3VlConfig& config) : config_(config) {
  patch_embed_ = register_module("patch_embed", std::make_shared<QwenPatchEmbedding>(config, /*with_bias=*/true));
  const auto table = register_module("pos_embed", std::make_shared<Module>());
  positions_ = table->register_parameter("weight", {config.num_position_embeddings, config.hidden_size});
  const auto list = register_module("blocks", std::make_shared<Module>());
  for (int64_t i = 0; i < config.depth; ++i) {
    blocks_.push_back(list->register_module(std::to_string(i), std::make_shared<Qwen3VlBlock>(config)));
  }
}

int64_t Qwen3VlTower::feature_width() const {
  return config_.hidden_size * (1 + std::ssize(config_.deepstack_visual_indexes));
}

at::Tensor Qwen3VlTower::encode(const at::Tensor& patches, std::span<const PictureShape> pictures) const {
  const auto frames = find_runs(frame_starts(pictures, patches.size(0)));
  const auto rotary = vision_rotary_table(pictures, config_.spatial_merge_size, config_.head_dim(),
                                          at::TensorOptions(patches.device()).dtype(at::kFloat));
  auto x = patch_embed_->forward(patches) + interpolated_positions(positions_, pictures, config_.spatial_merge_size);
  const auto& taps = config_.deepstack_visual_indexes;
  std::vector<at::Tensor> tapped;
  for (int64_t i = 0; i < config_.depth; ++i) {
    x = blocks_[static_cast<size_t>(i)]->forward(x, rotary, frames);
    if (contains(taps, i)) tapped.push_back(x);
  }
  tapped.insert(tapped.begin(), x);
  return at::cat(tapped, 1);
}

std::string Qwen3VlTower::settings_text() const {
  std::string taps;
  for (const int64_t block : config_.deepstack_visual_indexes) taps += concat(' ', block);
  return concat("heads ", config_.num_heads, ", merge ", config_.spatial_merge_size, ", taps behind", taps);
}

Cost Qwen3VlTower::cost(double num_patches, double largest) const {
  // Of the FFN: its inner rows, before and after the activation.
  auto cost = qwen_tower_cost(config_, num_values(*this), num_patches, largest, /*kept_inner=*/2);
  cost.working_values += largest * static_cast<double>(feature_width() - config_.hidden_size);
  return cost;
}

Qwen3VlMerger::Qwen3VlMerger(const Qwen3VlConfig& config, bool norms_joined)
    : merged_size_(config.merged_size()), norms_joined_(norms_joined) {
  const int64_t normed = norms_joined ? merged_size_ : config.hidden_size;
  norm_ = register_module("norm", std::make_shared<LayerNorm>(normed, kNormEps));
  fc1_ = register_module("linear_fc1", std::make_shared<Linear>(merged_size_, merged_size_, /*with_bias=*/true));
  fc2_ =
      register_module("linear_fc2", std::make_shared<Linear>(merged_size_, config.out_hidden_size, /*with_bias=*/true));
}

at::Tensor Qwen3VlMerger::forward(const at::Tensor& features) const {
  const auto merged = norms_joined_ ? norm_->forward(features.reshape({-1, merged_size_}))
                                    : norm_->forward(features).view({-1, merged_size_});
  return fc2_->forward(at::gelu(fc1_->forward(merged)));
}

Qwen3VlProjector::Qwen3VlProjector(const Qwen3VlConfig& config)
    : merge_(config.spatial_merge_size), width_(config.hidden_size) {
  merger_ = register_module("merger", std::make_shared<Qwen3VlMerger>(config, /*norms_joined=*/false));
  const auto list = register_module("deepstack_merger_list", std::make_shared<Module>());
  for (size_t i = 0; i < config.deepstack_visual_indexes.size(); ++i) {
    taps_.push_back(
        list->register_module(std::to_string(i), std::make_shared<Qwen3VlMerger>(config, /*norms_joined=*/true)));
  }
}

PictureRows Qwen3VlProjector::project(const at::Tensor& features, std::span<const PictureShape>) const {
  const auto rows_of = [&](size_t index) {
    return features.narrow(1, static_cast<int64_t>(index) * width_, width_).contiguous();
  };
  PictureRows rows{merger_->forward(rows_of(0)), {}};
  for (size_t i = 0; i < taps_.size(); ++i) rows.added.push_back(taps_[i]->forward(rows_of(i + 1)));
  return rows;
}

Cost Qwen3VlProjector::cost(double num_patches) const {
  Cost cost;
  cost.operations = num_patches / patches_a_row() * 2 * num_values(*this);
  return cost;
}

}  // namespace vlsi
