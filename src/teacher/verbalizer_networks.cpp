#include "teacher/verbalizer_networks.h"

#include <ATen/ATen.h>

#include "model/fused.h"
#include "model/linear.h"

namespace vlsi {
namespace {

/// down( silu(gate x) * (up x) ), without bias.
class GatedFfn : public VerbalizerBlock {
 public:
  GatedFfn(int64_t width, int64_t inner_width, int64_t output_width) {
    gate_ = register_module("gate", std::make_shared<Linear>(width, inner_width, /*with_bias=*/false));
    up_ = register_module("up", std::make_shared<Linear>(width, inner_width, /*with_bias=*/false));
    down_ = register_module("down", std::make_shared<Linear>(inner_width, output_width, /*with_bias=*/false));
  }

  at::Tensor forward(const at::Tensor& x, const DecoderContext&, const at::Tensor&) const override {
    const auto projected = forward_together(x, {gate_.get(), up_.get()});
    return down_->forward(swiglu(projected[0], projected[1]));
  }

 private:
  std::shared_ptr<Linear> gate_, up_, down_;
};

/// A linear map without bias, of the GELU of its input where it follows another one.
class MlpMap : public VerbalizerBlock {
 public:
  MlpMap(int64_t width, bool after_another) : after_another_(after_another) {
    map_ = register_module("map", std::make_shared<Linear>(width, width, /*with_bias=*/false));
  }

  at::Tensor forward(const at::Tensor& x, const DecoderContext&, const at::Tensor&) const override {
    return map_->forward(after_another_ ? at::gelu(x) : x);
  }

 private:
  bool after_another_;
  std::shared_ptr<Linear> map_;
};

/// A whole decoder layer as the backbone's: attention, FFN, norms.
class DecoderBlock : public VerbalizerBlock {
 public:
  explicit DecoderBlock(const TextConfig& backbone) {
    layer_ = register_module("decoder", std::make_shared<DecoderLayer>(backbone));
  }

  at::Tensor forward(const at::Tensor& x, const DecoderContext& context, const at::Tensor& rows) const override {
    return layer_->forward(x, context, /*layer_index=*/0, rows);
  }

 private:
  std::shared_ptr<DecoderLayer> layer_;
};

template <class Make>
VerbalizerBlocks in_a_row(int num_blocks, const Make& make) {
  VerbalizerBlocks blocks;
  for (int i = 0; i < num_blocks; ++i) blocks.push_back(make(i));
  return blocks;
}

template <int kBlocks>
VerbalizerBlocks verb_ffn(const TextConfig& backbone, int64_t output_width) {
  const int64_t width = backbone.hidden_size, inner = output_width == 0 ? width : output_width;
  return in_a_row(kBlocks, [&](int) { return std::make_shared<GatedFfn>(width, inner, inner); });
}

template <int kBlocks>
VerbalizerBlocks ffn(const TextConfig& backbone, int64_t) {
  const int64_t width = backbone.hidden_size;
  return in_a_row(kBlocks, [&](int) { return std::make_shared<GatedFfn>(width, backbone.intermediate_size, width); });
}

template <int kBlocks>
VerbalizerBlocks decoder(const TextConfig& backbone, int64_t) {
  return in_a_row(kBlocks, [&](int) { return std::make_shared<DecoderBlock>(backbone); });
}

template <int kBlocks>
VerbalizerBlocks mlp(const TextConfig& backbone, int64_t) {
  return in_a_row(kBlocks, [&](int i) { return std::make_shared<MlpMap>(backbone.hidden_size, i > 0); });
}

}  // namespace

Table<VerbalizerNetwork>& verbalizer_networks() {
  // Of a hidden row h; d the backbone's width, f its FFN's.
  static Table<VerbalizerNetwork> networks{
      {.name = "verb_ffn",
       .meaning = "down( silu(gate h) * (up h) ), all d x d",
       .make_blocks = verb_ffn<1>,
       .takes_output_width = true},
      {.name = "verb_ffn_x2", .meaning = "two of them in sequence", .make_blocks = verb_ffn<2>},
      {.name = "ffn", .meaning = "as verb_ffn, f wide inside, as the backbone's FFN", .make_blocks = ffn<1>},
      {.name = "ffn_x2", .meaning = "two of them in sequence", .make_blocks = ffn<2>},
      {.name = "decoder",
       .meaning = "a decoder layer as the backbone's",
       .make_blocks = decoder<1>,
       .reads_all_tokens = true,
       .has_residuals_inside = true},
      {.name = "decoder_x2",
       .meaning = "two of them in sequence",
       .make_blocks = decoder<2>,
       .reads_all_tokens = true,
       .has_residuals_inside = true},
      {.name = "mlp", .meaning = "one d x d map", .make_blocks = mlp<1>},
      {.name = "mlp_x2", .meaning = "two of them with a GELU between", .make_blocks = mlp<2>}};
  return networks;
}

VerbalizerBlocks make_blocks(const VerbalizerConfig& config, const TextConfig& backbone) {
  const auto& network = *config.architecture;
  TORCH_CHECK(!config.residual || !network.has_residuals_inside, network.name, " has residuals inside");
  if (config.output_width != 0) {
    TORCH_CHECK(network.takes_output_width && !config.residual && !config.final_norm, network.name,
                " with these options has no output width of its own");
  }
  return network.make_blocks(backbone, config.output_width);
}

int64_t num_parameters(const VerbalizerConfig& config, const TextConfig& backbone) {
  int64_t sum = 0;
  for (const auto& block : make_blocks(config, backbone)) {
    for (const auto& [name, parameter] : block->named_parameters()) sum += parameter.numel();
  }
  return sum;
}

}  // namespace vlsi
