#include "model/decoder.h"

#include <ATen/ATen.h>

#include "model/fused.h"

namespace vlsi {
namespace {

std::vector<at::Tensor> map_together(const at::Tensor& x, const std::vector<const Linear*>& maps,
                                     const DecoderContext& context) {
  return context.is_decoding() ? forward_rows_together(x, maps) : forward_together(x, maps);
}

at::Tensor map(const at::Tensor& x, const Linear& linear, const DecoderContext& context) {
  return context.is_decoding() ? linear.forward_rows(x) : linear.forward(x);
}

}  // namespace

SelfAttention::SelfAttention(const TextConfig& config)
    : num_heads_(config.num_attention_heads),
      num_key_value_heads_(config.num_key_value_heads),
      head_dim_(config.head_dim()) {
  const int64_t width = config.hidden_size, key_width = num_key_value_heads_ * head_dim_;
  const bool with_bias = config.has_qkv_bias;
  q_proj_ = register_module("q_proj", std::make_shared<Linear>(width, num_heads_ * head_dim_, with_bias));
  k_proj_ = register_module("k_proj", std::make_shared<Linear>(width, key_width, with_bias));
  v_proj_ = register_module("v_proj", std::make_shared<Linear>(width, key_width, with_bias));
  o_proj_ = register_module("o_proj", std::make_shared<Linear>(num_heads_ * head_dim_, width, /*with_bias=*/false));
  if (config.has_qk_norm) {
    q_norm_ = register_module("q_norm", std::make_shared<RmsNormLayer>(head_dim_, config.rms_norm_eps));
    k_norm_ = register_module("k_norm", std::make_shared<RmsNormLayer>(head_dim_, config.rms_norm_eps));
  }
}

at::Tensor SelfAttention::forward(const at::Tensor& x, const DecoderContext& context, int64_t layer_index,
                                  const at::Tensor& rows) const {
  const int64_t num_tokens = x.size(0);
  const auto& [cos, sin] = context.rotary;
  const auto projected = map_together(x, {q_proj_.get(), k_proj_.get(), v_proj_.get()}, context);
  const auto heads = [&](const at::Tensor& rows_of_heads, int64_t num_heads, const RmsNormLayer* norm) {
    const auto split = rows_of_heads.view({num_tokens, num_heads, head_dim_});
    return rotate(norm != nullptr ? norm->forward(split) : split, cos, sin);
  };
  const auto q = heads(projected[0], num_heads_, q_norm_.get());
  const auto k = heads(projected[1], num_key_value_heads_, k_norm_.get());
  const auto v = projected[2].view({num_tokens, num_key_value_heads_, head_dim_});

  const auto by_head = context.cached != nullptr
                           ? context.cached->store_and_attend(layer_index, q, k, v)
                           : packed_attention(q, k, v, context.runs, /*causal=*/true);  // [T, H, d]
  const auto attended = by_head.reshape({num_tokens, num_heads_ * head_dim_});
  return map(rows.defined() ? attended.index_select(0, rows) : attended, *o_proj_, context);
}

Mlp::Mlp(const TextConfig& config) {
  const int64_t width = config.hidden_size, inner = config.intermediate_size;
  gate_proj_ = register_module("gate_proj", std::make_shared<Linear>(width, inner, /*with_bias=*/false));
  up_proj_ = register_module("up_proj", std::make_shared<Linear>(width, inner, /*with_bias=*/false));
  down_proj_ = register_module("down_proj", std::make_shared<Linear>(inner, width, /*with_bias=*/false));
}

at::Tensor Mlp::forward(const at::Tensor& x, const DecoderContext& context) const {
  const auto projected = map_together(x, {gate_proj_.get(), up_proj_.get()}, context);
  const auto inner = swiglu(projected[0], projected[1]);
  return context.values_are_read ? map(inner, *down_proj_, context) : down_proj_->forward_without_values(inner);
}

DecoderLayer::DecoderLayer(const TextConfig& config) {
  const auto norm = [&] { return std::make_shared<RmsNormLayer>(config.hidden_size, config.rms_norm_eps); };
  input_layernorm_ = register_module("input_layernorm", norm());
  post_attention_layernorm_ = register_module("post_attention_layernorm", norm());
  self_attn_ = register_module("self_attn", std::make_shared<SelfAttention>(config));
  mlp_ = register_module("mlp", std::make_shared<Mlp>(config));
}

at::Tensor DecoderLayer::forward(const at::Tensor& x, const DecoderContext& context, int64_t layer_index,
                                 const at::Tensor& rows) const {
  const auto residual = rows.defined() ? x.index_select(0, rows) : x;
  const auto attended = residual + self_attn_->forward(input_layernorm_->forward(x), context, layer_index, rows);
  return attended + mlp_->forward(post_attention_layernorm_->forward(attended), context);
}

Embedding::Embedding(int64_t num_rows, int64_t width) { weight_ = register_parameter("weight", {num_rows, width}); }

at::Tensor Embedding::forward(const at::Tensor& tokens) const { return at::embedding(weight_, tokens); }

Decoder::Decoder(const TextConfig& config) {
  const auto list = register_module("layers", std::make_shared<Module>());
  for (int64_t i = 0; i < config.num_hidden_layers; ++i) {
    layers_.push_back(list->register_module(std::to_string(i), std::make_shared<DecoderLayer>(config)));
  }
  norm_ = register_module("norm", std::make_shared<RmsNormLayer>(config.hidden_size, config.rms_norm_eps));
}

Cost decoder_layer_cost(const TextConfig& config, double num_tokens, double num_rows, double length) {
  const auto d = static_cast<double>(config.hidden_size), f = static_cast<double>(config.intermediate_size);
  const auto q = static_cast<double>(config.num_attention_heads * config.head_dim()),
             k = static_cast<double>(config.num_key_value_heads * config.head_dim());
  Cost cost;
  // Attention keeps the norm's input and output, queries and its output, keys and values; the FFN the norm's input and
  // output; gate, up and their product.
  cost.kept_values = num_tokens * (2 * d + 2 * q + 2 * k) + num_rows * (2 * d + 3 * f);
  cost.working_values = num_tokens * (3 * f + 4 * d);  // the residual stream, its norm, and the FFN's three tensors
  cost.gradient_values = 3 * num_tokens * f;
  cost.last_operations = 2 * num_rows * d * f;
  // Two a weight, and the causal half of attention's two products.
  cost.operations = 2 * num_tokens * (d * (q + 2 * k) + q * d) + 2 * num_rows * 3 * d * f + 2 * num_tokens * length * q;
  return cost;
}

}  // namespace vlsi
