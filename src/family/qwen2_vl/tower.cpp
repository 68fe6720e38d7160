#include "family/qwen2_vl/tower.h"

#include <ATen/ATen.h>

#include "model/fused.h"

namespace vlsi {
namespace {

constexpr double kNormEps = 1e-6;

}  // namespace

RotaryTable vision_rotary_table(std::span<const PictureShape> pictures, int64_t merge, int64_t head_dim,
                                const at::TensorOptions& options) {
  std::vector<at::Tensor> places;
  for (const auto& picture : pictures) {
    const auto grid = grid_of(picture);
    const auto row = at::arange(grid.h, at::kLong).view({grid.h / merge, 1, merge, 1});
    const auto column = at::arange(grid.w, at::kLong).view({1, grid.w / merge, 1, merge});
    const std::vector<int64_t> blocks{grid.h / merge, grid.w / merge, merge, merge};
    const auto one_frame = at::stack({row.expand(blocks).flatten(), column.expand(blocks).flatten()}, -1);
    places.push_back(one_frame.repeat({grid.t, 1}));
  }
  const auto frequencies = inverse_frequencies(head_dim / 2, 10000.0, at::kCPU);
  const auto angles =
      (at::cat(places).unsqueeze(-1).to(at::kFloat) * frequencies).flatten(1);  // [P, 2, d/4] -> [P, d/2]
  return {angles.cos().to(options), angles.sin().to(options)};
}

Qwen2VlBlock::Qwen2VlBlock(const Qwen2VlConfig& config) : num_heads_(config.num_heads) {
  const int64_t width = config.embed_dim;
  norm1_ = register_module("norm1", std::make_shared<LayerNorm>(width, kNormEps));
  norm2_ = register_module("norm2", std::make_shared<LayerNorm>(width, kNormEps));
  const auto attention = register_module("attn", std::make_shared<Module>());
  qkv_ = attention->register_module("qkv", std::make_shared<Linear>(width, 3 * width, /*with_bias=*/true));
  proj_ = attention->register_module("proj", std::make_shared<Linear>(width, width, /*with_bias=*/true));
  const auto mlp = register_module("mlp", std::make_shared<Module>());
  fc1_ = mlp->register_module("fc1", std::make_shared<Linear>(width, config.mlp_size(), /*with_bias=*/true));
  fc2_ = mlp->register_module("fc2", std::make_shared<Linear>(config.mlp_size(), width, /*with_bias=*/true));
}

at::Tensor Qwen2VlBlock::forward(const at::Tensor& x, const RotaryTable& rotary,
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

Qwen2VlTower::Qwen2VlTower(const Qwen2VlConfig& config) : config_(config) {
  const auto patch_embed = register_module("patch_embed", std::make_shared<Module>());
  const auto projection = patch_embed->register_module("proj", std::make_shared<Module>());
  patch_weight_ = projection->register_parameter(
      "weight",
      {config.embed_dim, config.in_channels, config.temporal_patch_size, config.patch_size, config.patch_size});
  const auto list = register_module("blocks", std::make_shared<Module>());
  for (int64_t i = 0; i < config.depth; ++i) {
    blocks_.push_back(list->register_module(std::to_string(i), std::make_shared<Qwen2VlBlock>(config)));
  }
}

at::Tensor Qwen2VlTower::encode(const at::Tensor& patches, std::span<const PictureShape> pictures) const {
  std::vector<int64_t> frame_starts{0};
  for (const auto& picture : pictures) {
    const auto grid = grid_of(picture);
    for (int64_t frame = 0; frame < grid.t; ++frame) frame_starts.push_back(frame_starts.back() + grid.h * grid.w);
  }
  TORCH_CHECK(frame_starts.back() == patches.size(0), "the grids say ", frame_starts.back(), " patches, the rows are ",
              patches.size(0));
  const auto frames = find_runs(frame_starts);
  const auto rotary = vision_rotary_table(pictures, config_.spatial_merge_size, config_.embed_dim / config_.num_heads,
                                          at::TensorOptions(patches.device()).dtype(at::kFloat));

  // A convolution whose stride is its kernel is this product.
  auto x = at::linear(patches.to(patch_weight_.scalar_type()), patch_weight_.flatten(1));
  for (const auto& block : blocks_) x = block->forward(x, rotary, frames);
  return x;
}

std::string Qwen2VlTower::settings_text() const {
  return concat("heads ", config_.num_heads, ", merge ", config_.spatial_merge_size);
}

Cost Qwen2VlTower::cost(double num_patches, double largest) const {
  const auto e = static_cast<double>(config_.embed_dim), f = static_cast<double>(config_.mlp_size()),
             depth = static_cast<double>(config_.depth);
  Cost cost;
  // A block: two norms' inputs and outputs, queries, keys and values as they are and turned in float32, attention's
  // output; the FFN's inner rows, their sigmoid with its input, and the product.
  cost.kept_values = depth * num_patches * (8 * e + 4 * f);
  cost.kept_floats = depth * num_patches * 4 * e;
  // A frozen tower looks at one picture at a time: queries, keys and values turned in float32, and the FFN's rows.
  cost.working_values = largest * (6 * e + 4 * f);
  cost.working_floats = largest * 4 * e;
  cost.operations = num_patches * (2 * num_values(*this) + 4 * largest * e * depth);
  return cost;
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
