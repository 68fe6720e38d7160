#include "family/llava_onevision/tower.h"

#include <ATen/ATen.h>

#include "base/error.h"
#include "model/fused.h"
#include "model/product.h"

namespace vlsi {

SiglipLayer::SiglipLayer(const LlavaOnevisionConfig& config) : num_heads_(config.num_heads) {
  const int64_t width = config.hidden_size, inner = config.intermediate_size;
  norm1_ = register_module("layer_norm1", std::make_shared<LayerNorm>(width, config.layer_norm_eps));
  const auto attention = register_module("self_attn", std::make_shared<Module>());
  const auto add_map = [&](const char* name) {
    return attention->register_module(name, std::make_shared<Linear>(width, width, /*with_bias=*/true));
  };
  q_ = add_map("q_proj");
  k_ = add_map("k_proj");
  v_ = add_map("v_proj");
  out_ = add_map("out_proj");
  norm2_ = register_module("layer_norm2", std::make_shared<LayerNorm>(width, config.layer_norm_eps));
  const auto mlp = register_module("mlp", std::make_shared<Module>());
  fc1_ = mlp->register_module("fc1", std::make_shared<Linear>(width, inner, /*with_bias=*/true));
  fc2_ = mlp->register_module("fc2", std::make_shared<Linear>(inner, width, /*with_bias=*/true));
}

at::Tensor SiglipLayer::forward(const at::Tensor& x, const std::vector<SequenceRun>& views) const {
  const int64_t num_patches = x.size(0), width = x.size(1);
  const auto qkv = forward_together(norm1_->forward(x), {q_.get(), k_.get(), v_.get()});
  const auto heads = [&](size_t i) { return qkv[i].reshape({num_patches, num_heads_, width / num_heads_}); };
  const auto attended = packed_attention(heads(0), heads(1), heads(2), views, /*causal=*/false);
  const auto y = x + out_->forward(attended.reshape({num_patches, width}));
  return y + fc2_->forward(gelu_tanh(fc1_->forward(norm2_->forward(y))));
}

SiglipTower::SiglipTower(const LlavaOnevisionConfig& config) : config_(config) {
  const auto embeddings = register_module("embeddings", std::make_shared<Module>());
  const auto patch_embedding = embeddings->register_module("patch_embedding", std::make_shared<Module>());
  patch_weight_ = patch_embedding->register_parameter(
      "weight", {config.hidden_size, config.num_channels, config.patch_size, config.patch_size});
  patch_bias_ = patch_embedding->register_parameter("bias", {config.hidden_size});
  const auto position_embedding = embeddings->register_module("position_embedding", std::make_shared<Module>());
  positions_ = position_embedding->register_parameter("weight", {config.view_patches(), config.hidden_size});
  const auto encoder = register_module("encoder", std::make_shared<Module>());
  const auto list = encoder->register_module("layers", std::make_shared<Module>());
  for (int64_t i = 0; i < config.num_layers; ++i)
    layers_.push_back(list->register_module(std::to_string(i), std::make_shared<SiglipLayer>(config)));
  register_module("post_layernorm", std::make_shared<LayerNorm>(config.hidden_size, config.layer_norm_eps));
}

at::Tensor SiglipTower::encode(const at::Tensor& patches, std::span<const PictureShape>) const {
  const int64_t view = config_.view_patches(), num_views = patches.size(0) / view;
  TORCH_CHECK(num_views * view == patches.size(0), patches.size(0), " patches, of views of ", view);
  const std::vector<SequenceRun> views{{0, view, num_views}};
  // A convolution whose stride is its kernel is this product.
  const auto embedded = affine(patches.to(patch_weight_.scalar_type()), patch_weight_.flatten(1), patch_bias_);
  auto x = (embedded.view({num_views, view, -1}) + positions_).flatten(0, 1);
  for (const auto& layer : layers_) x = layer->forward(x, views);
  return x;
}

std::string SiglipTower::settings_text() const {
  return concat("siglip, heads ", config_.num_heads, ", norm ", config_.layer_norm_eps);
}

Cost SiglipTower::cost(double num_patches, double largest) const {
  const auto e = static_cast<double>(config_.hidden_size), f = static_cast<double>(config_.intermediate_size),
             depth = static_cast<double>(config_.num_layers), view = static_cast<double>(config_.view_patches());
  Cost cost;
  // A layer: two norms' inputs and outputs, queries, keys, values and attention's output; the FFN's inner rows and
  // their activation.
  cost.kept_values = depth * num_patches * (8 * e + 2 * f);
  // A frozen tower looks at one picture at a time: a layer's rows, and the FFN's.
  cost.working_values = largest * (6 * e + 2 * f);
  cost.operations = num_patches * (2 * num_values(*this) + 4 * view * e * depth);
  return cost;
}

}  // namespace vlsi
