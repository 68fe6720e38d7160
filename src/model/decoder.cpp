#include "model/decoder.h"

#include <ATen/ATen.h>

#include "model/fused.h"

namespace vlsi {

RmsNormLayer::RmsNormLayer(int64_t width, double eps) : eps_(eps) {
  weight_ = register_parameter("weight", at::empty({width}));
}

at::Tensor RmsNormLayer::forward(const at::Tensor& x) const { return rms_norm(x, weight_, eps_); }

SelfAttention::SelfAttention(const TextConfig& config)
    : num_heads_(config.num_attention_heads),
      num_key_value_heads_(config.num_key_value_heads),
      head_dim_(config.head_dim()) {
  const int64_t width = config.hidden_size, key_width = num_key_value_heads_ * head_dim_;
  q_proj_ = register_module("q_proj", std::make_shared<Linear>(width, num_heads_ * head_dim_, /*with_bias=*/true));
  k_proj_ = register_module("k_proj", std::make_shared<Linear>(width, key_width, /*with_bias=*/true));
  v_proj_ = register_module("v_proj", std::make_shared<Linear>(width, key_width, /*with_bias=*/true));
  o_proj_ = register_module("o_proj", std::make_shared<Linear>(num_heads_ * head_dim_, width, /*with_bias=*/false));
}

at::Tensor SelfAttention::forward(const at::Tensor& x, const DecoderContext& context, int64_t layer_index,
                                  const at::Tensor& rows) const {
  const int64_t num_tokens = x.size(0);
  const auto& [cos, sin] = context.rotary;
  const auto projected = forward_together(x, {q_proj_.get(), k_proj_.get(), v_proj_.get()});
  const auto q = rotate(projected[0].view({num_tokens, num_heads_, head_dim_}), cos, sin);
  const auto k = rotate(projected[1].view({num_tokens, num_key_value_heads_, head_dim_}), cos, sin);
  const auto v = projected[2].view({num_tokens, num_key_value_heads_, head_dim_});

  at::Tensor attended;  // [T, H, d]
  if (context.cache != nullptr && context.cache->has_prompt()) {
    attended = context.cache->append_and_attend(layer_index, q, k, v);
  } else {
    if (context.cache != nullptr) context.cache->store_prompt(layer_index, k, v, context.runs);
    attended = packed_attention(q, k, v, context.runs, /*causal=*/true);
  }
  attended = attended.reshape({num_tokens, num_heads_ * head_dim_});
  return o_proj_->forward(rows.defined() ? attended.index_select(0, rows) : attended);
}

Mlp::Mlp(const TextConfig& config) {
  const int64_t width = config.hidden_size, inner = config.intermediate_size;
  gate_proj_ = register_module("gate_proj", std::make_shared<Linear>(width, inner, /*with_bias=*/false));
  up_proj_ = register_module("up_proj", std::make_shared<Linear>(width, inner, /*with_bias=*/false));
  down_proj_ = register_module("down_proj", std::make_shared<Linear>(inner, width, /*with_bias=*/false));
}

at::Tensor Mlp::forward(const at::Tensor& x, const DecoderContext& context) const {
  const auto projected = forward_together(x, {gate_proj_.get(), up_proj_.get()});
  const auto inner = swiglu(projected[0], projected[1]);
  return context.values_are_read ? down_proj_->forward(inner) : down_proj_->forward_without_values(inner);
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

Embedding::Embedding(int64_t num_rows, int64_t width) {
  weight_ = register_parameter("weight", at::empty({num_rows, width}));
}

at::Tensor Embedding::forward(const at::Tensor& tokens) const { return at::embedding(weight_, tokens); }

Decoder::Decoder(const TextConfig& config) {
  embed_tokens_ = register_module("embed_tokens", std::make_shared<Embedding>(config.vocab_size, config.hidden_size));
  const auto list = register_module("layers", std::make_shared<Module>());
  for (int64_t i = 0; i < config.num_hidden_layers; ++i) {
    layers_.push_back(list->register_module(std::to_string(i), std::make_shared<DecoderLayer>(config)));
  }
  norm_ = register_module("norm", std::make_shared<RmsNormLayer>(config.hidden_size, config.rms_norm_eps));
}

}  // namespace vlsi
