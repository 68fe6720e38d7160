// The decoder of every family: grouped-query attention with rotary positions, SwiGLU, RMS norms.
// (T tokens, D width, N wanted rows)
#pragma once

#include <ATen/core/Tensor.h>

#include <memory>
#include <vector>

#include "model/attention.h"
#include "model/config.h"
#include "model/cost.h"
#include "model/kv_cache.h"
#include "model/linear.h"
#include "model/module.h"
#include "model/norm.h"
#include "model/rope.h"

namespace vlsi {

/// What every layer of one forward pass shares.
struct DecoderContext {
  RotaryTable rotary;
  std::vector<SequenceRun> runs;       // of the packed sequences; unused with `cached`
  const CachedPass* cached = nullptr;  // of tokens behind known ones

  /// Whether rows are few enough for the products of decoding.
  bool is_decoding() const { return cached != nullptr && cached->is_decoding(); }
  bool values_are_read =
      true;  // of a layer's output; where not, only its gradients are, and its last product is left out
};

class SelfAttention : public Module {
 public:
  explicit SelfAttention(const TextConfig& config);
  /// x [T, D] -> [N, D]: all rows attend, `rows` [N] (undefined: all) go through the output projection.
  at::Tensor forward(const at::Tensor& x, const DecoderContext& context, int64_t layer_index,
                     const at::Tensor& rows) const;

 private:
  int64_t num_heads_, num_key_value_heads_, head_dim_;
  std::shared_ptr<Linear> q_proj_, k_proj_, v_proj_, o_proj_;
  std::shared_ptr<RmsNormLayer> q_norm_, k_norm_;  // null without
};

class Mlp : public Module {
 public:
  explicit Mlp(const TextConfig& config);
  /// down(silu(gate x) * up x); x [T, D] -> [T, D]
  at::Tensor forward(const at::Tensor& x, const DecoderContext& context) const;

 private:
  std::shared_ptr<Linear> gate_proj_, up_proj_, down_proj_;
};

class DecoderLayer : public Module {
 public:
  explicit DecoderLayer(const TextConfig& config);
  /// The residual stream after this layer. With `rows`, only those rows of it: nothing else is computed after
  /// attention.
  at::Tensor forward(const at::Tensor& x, const DecoderContext& context, int64_t layer_index,
                     const at::Tensor& rows = {}) const;

 private:
  std::shared_ptr<RmsNormLayer> input_layernorm_, post_attention_layernorm_;
  std::shared_ptr<SelfAttention> self_attn_;
  std::shared_ptr<Mlp> mlp_;
};

/// Token embedding [V, D], parameter `weight`.
class Embedding : public Module {
 public:
  Embedding(int64_t num_rows, int64_t width);
  at::Tensor forward(const at::Tensor& tokens) const;
  const at::Tensor& weight() const { return weight_; }

 private:
  at::Tensor weight_;
};

/// Layers and final norm.
class Decoder : public Module {
 public:
  explicit Decoder(const TextConfig& config);

  const DecoderLayer& layer(int64_t index) const { return *layers_[index]; }
  const RmsNormLayer& norm() const { return *norm_; }
  int64_t num_layers() const { return static_cast<int64_t>(layers_.size()); }

 private:
  std::vector<std::shared_ptr<DecoderLayer>> layers_;
  std::shared_ptr<RmsNormLayer> norm_;
};

/// Of one layer: attention over `num_tokens` tokens in sequences of `length`, and the FFN on `num_rows` rows of them.
Cost decoder_layer_cost(const TextConfig& config, double num_tokens, double num_rows, double length);

}  // namespace vlsi
