#include "family/qwen_vision.h"

#include <ATen/ATen.h>

#include "base/error.h"
#include "base/quoted.h"
#include "base/send.h"
#include "model/fused.h"
#include "model/product.h"

namespace vlsi {
namespace {

constexpr double kTheta = 10000;

/// The tower's rotation has one base; its type has two names.
void refuse_other_rotation(const ConfigKeys& keys) {
  const auto check_theta = [](double theta, const std::string& place) {
    if (theta != kTheta) fail(place, ": key 'rope_theta' is ", theta, ", which is not supported; expected ", kTheta);
  };
  double theta = kTheta;
  keys.read("rope_theta", theta);
  check_theta(theta, keys.place());
  for (const char* key : {"rope_scaling", "rope_parameters"}) {
    const auto rope = keys.object(key);
    const auto place = concat(keys.place(), ", ", key);
    check_theta(find<double>(rope, "rope_theta", place).value_or(kTheta), place);
    for (const char* name : {"type", "rope_type"}) {
      const auto type = find<std::string>(rope, name, place).value_or("default");
      if (type != "default" && type != "axial")
        fail(place, ": key '", name, "' is ", quoted(type),
             ", which is not supported; expected \"axial\" or \"default\"");
    }
  }
}

}  // namespace

std::string QwenVision::tower_text() const {
  return concat(depth, " blocks x ", width(), ", heads ", num_heads, ", patch ", patch_size, ", merge ",
                spatial_merge_size);
}

void read_qwen_vision(const ConfigKeys& keys, QwenVision& vision) {
  keys.read_size("depth", vision.depth, 4096);
  keys.read_size("num_heads", vision.num_heads);
  keys.read_size("in_channels", vision.in_channels, 1024);
  keys.read_size("in_chans", vision.in_channels, 1024);
  keys.read_size("patch_size", vision.patch_size, 1024);
  keys.read_size("spatial_merge_size", vision.spatial_merge_size, 64);
  keys.read_size("temporal_patch_size", vision.temporal_patch_size, 64);
  refuse_other_rotation(keys);
}

void read_qwen_tokens(const ConfigKeys& keys, const ModelConfig& config, QwenVision& vision, const std::string& place) {
  keys.read("vision_start_token_id", vision.vision_start_token_id);
  keys.read("vision_end_token_id", vision.vision_end_token_id);
  keys.read("video_token_id", vision.video_token_id);
  for (const int64_t id : {config.image_token_id, vision.video_token_id}) {
    if (id < 0 || id >= config.text.vocab_size) {
      fail(place, ": image or video token id ", id, " is outside the vocabulary of ", config.text.vocab_size, " rows");
    }
  }
}

OrderedJson qwen_vision_json(const QwenVision& vision) {
  return {{"depth", vision.depth},
          {"in_channels", vision.in_channels},
          {"num_heads", vision.num_heads},
          {"patch_size", vision.patch_size},
          {"spatial_merge_size", vision.spatial_merge_size},
          {"temporal_patch_size", vision.temporal_patch_size}};
}

OrderedJson qwen_tokens_json(const ModelConfig& config, const QwenVision& vision) {
  return {{"image_token_id", config.image_token_id},
          {"video_token_id", vision.video_token_id},
          {"vision_end_token_id", vision.vision_end_token_id},
          {"vision_start_token_id", vision.vision_start_token_id}};
}

void check_qwen_vision(const QwenVision& vision, const TextConfig& text, const char* width_key, const char* out_key,
                       const std::string& place) {
  check_divides(vision.num_heads, "num_heads", vision.width(), width_key, place);
  if (vision.head_dim() % 4 != 0) {
    fail(place, ": the vision head width ", vision.head_dim(), " is not a multiple of 4, as 2-D rotary needs");
  }
  if (vision.merged_size() > kMostRows) {
    fail(place, ": ", width_key, ' ', vision.width(), " times the square of spatial_merge_size ",
         vision.spatial_merge_size, " is beyond any model, expected at most ", kMostRows);
  }
  if (vision.out_size() != text.hidden_size) {
    fail(place, ": vision_config.", out_key, ' ', vision.out_size(), " differs from the decoder's hidden_size ",
         text.hidden_size);
  }
}

PatchGrid grid_of(const PictureShape& picture) { return {picture.layout[0], picture.layout[1], picture.layout[2]}; }

PictureShape shape_of(const PatchGrid& grid, int64_t merge) {
  const int64_t num_patches = grid.t * grid.h * grid.w;
  return {num_patches, num_patches / (merge * merge), {grid.t, grid.h, grid.w}};
}

std::vector<int64_t> frame_starts(std::span<const PictureShape> pictures, int64_t num_patches) {
  std::vector<int64_t> starts{0};
  for (const auto& picture : pictures) {
    const auto grid = grid_of(picture);
    for (int64_t frame = 0; frame < grid.t; ++frame) starts.push_back(starts.back() + grid.h * grid.w);
  }
  TORCH_CHECK(starts.back() == num_patches, "the grids say ", starts.back(), " patches, the rows are ", num_patches);
  return starts;
}

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
  const auto frequencies = inverse_frequencies(head_dim / 2, kTheta, at::kCPU);
  const auto angles =
      (at::cat(places).unsqueeze(-1).to(at::kFloat) * frequencies).flatten(1);  // [P, 2, d/4] -> [P, d/2]
  const auto there = [&](const at::Tensor& x) {
    return send(x, options.device()).to(c10::typeMetaToScalarType(options.dtype()));
  };
  return {there(angles.cos()), there(angles.sin())};
}

QwenPatchEmbedding::QwenPatchEmbedding(const QwenVision& config, bool with_bias) {
  const auto projection = register_module("proj", std::make_shared<Module>());
  weight_ = projection->register_parameter(
      "weight", {config.width(), config.in_channels, config.temporal_patch_size, config.patch_size, config.patch_size});
  if (with_bias) bias_ = projection->register_parameter("bias", {config.width()});
}

at::Tensor QwenPatchEmbedding::forward(const at::Tensor& patches) const {
  // A convolution whose stride is its kernel is this product.
  return affine(patches.to(weight_.scalar_type()), weight_.flatten(1), bias_);
}

QwenVisionAttention::QwenVisionAttention(const QwenVision& config) : num_heads_(config.num_heads) {
  const int64_t width = config.width();
  qkv_ = register_module("qkv", std::make_shared<Linear>(width, 3 * width, /*with_bias=*/true));
  proj_ = register_module("proj", std::make_shared<Linear>(width, width, /*with_bias=*/true));
}

at::Tensor QwenVisionAttention::forward(const at::Tensor& x, const RotaryTable& rotary,
                                        const std::vector<SequenceRun>& runs) const {
  const int64_t num_patches = x.size(0), width = x.size(1);
  const auto qkv = qkv_->forward(x).view({num_patches, 3, num_heads_, width / num_heads_}).unbind(1);
  const auto turn = [&](const at::Tensor& heads) {
    return rotate(heads.to(rotary.cos.scalar_type()), rotary.cos, rotary.sin).to(x.scalar_type());
  };
  const auto attended = packed_attention(turn(qkv[0]), turn(qkv[1]), qkv[2], runs, /*causal=*/false);
  return proj_->forward(attended.reshape({num_patches, width}));
}

Cost qwen_tower_cost(const QwenVision& config, double num_weights, double num_patches, double largest,
                     double kept_inner) {
  const auto e = static_cast<double>(config.width()), f = static_cast<double>(config.mlp_size()),
             depth = static_cast<double>(config.depth);
  Cost cost;
  // A block: two norms' inputs and outputs, queries, keys and values as they are and turned in float32, attention's
  // output; the FFN's inner rows.
  cost.kept_values = depth * num_patches * (8 * e + kept_inner * f);
  cost.kept_floats = depth * num_patches * 4 * e;
  // A frozen tower looks at one picture at a time: queries, keys and values turned in float32, and the FFN's rows.
  cost.working_values = largest * (6 * e + kept_inner * f);
  cost.working_floats = largest * 4 * e;
  cost.operations = num_patches * (2 * num_weights + 4 * largest * e * depth);
  return cost;
}

}  // namespace vlsi
