#include "teacher/verbalizer_networks.h"

#include <ATen/ATen.h>

#include "model/fused.h"

namespace vlsi {
namespace {

using Architecture = VerbalizerArchitecture;

enum class BlockKind { kVerbFfn, kFfn, kDecoder, kMlp };

struct Layout {
  BlockKind kind;
  int64_t num_blocks;
};

Layout layout_of(Architecture architecture) {
  switch (architecture) {
    case Architecture::kVerbFfn: return {BlockKind::kVerbFfn, 1};
    case Architecture::kVerbFfnX2: return {BlockKind::kVerbFfn, 2};
    case Architecture::kFfn: return {BlockKind::kFfn, 1};
    case Architecture::kFfnX2: return {BlockKind::kFfn, 2};
    case Architecture::kDecoder: return {BlockKind::kDecoder, 1};
    case Architecture::kDecoderX2: return {BlockKind::kDecoder, 2};
    case Architecture::kMlp: return {BlockKind::kMlp, 1};
    case Architecture::kMlpX2: return {BlockKind::kMlp, 2};
  }
  TORCH_CHECK(false, "unknown architecture");
}

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

int64_t block_parameters(BlockKind kind, const TextConfig& backbone) {
  const int64_t d = backbone.hidden_size, f = backbone.intermediate_size;
  const int64_t q = backbone.num_attention_heads * backbone.head_dim(),
                k = backbone.num_key_value_heads * backbone.head_dim();
  switch (kind) {
    case BlockKind::kVerbFfn: return 3 * d * d;
    case BlockKind::kFfn: return 3 * d * f;
    case BlockKind::kDecoder:
      return (d + 1) * (q + 2 * k) + q * d + 3 * d * f + 2 * d;  // q, k, v with bias; o; FFN; norms
    case BlockKind::kMlp: return d * d;
  }
  TORCH_CHECK(false, "unknown kind of block");
}

}  // namespace

const std::vector<std::pair<std::string, Architecture>>& verbalizer_architectures() {
  static const std::vector<std::pair<std::string, Architecture>> names{
      {"verb_ffn", Architecture::kVerbFfn}, {"verb_ffn_x2", Architecture::kVerbFfnX2},
      {"ffn", Architecture::kFfn},          {"ffn_x2", Architecture::kFfnX2},
      {"decoder", Architecture::kDecoder},  {"decoder_x2", Architecture::kDecoderX2},
      {"mlp", Architecture::kMlp},          {"mlp_x2", Architecture::kMlpX2}};
  return names;
}

std::string name_of(Architecture architecture) {
  for (const auto& [name, candidate] : verbalizer_architectures()) {
    if (candidate == architecture) return name;
  }
  TORCH_CHECK(false, "unknown architecture");
}

bool reads_all_tokens(Architecture architecture) { return layout_of(architecture).kind == BlockKind::kDecoder; }

int64_t num_parameters(Architecture architecture, const TextConfig& backbone) {
  const auto [kind, num_blocks] = layout_of(architecture);
  return num_blocks * block_parameters(kind, backbone);
}

GatedFfn::GatedFfn(int64_t width, int64_t inner_width, int64_t output_width) {
  gate_ = register_module("gate", std::make_shared<Linear>(width, inner_width, /*with_bias=*/false));
  up_ = register_module("up", std::make_shared<Linear>(width, inner_width, /*with_bias=*/false));
  down_ = register_module("down", std::make_shared<Linear>(inner_width, output_width, /*with_bias=*/false));
}

at::Tensor GatedFfn::forward(const at::Tensor& x, const DecoderContext&, const at::Tensor&) const {
  const auto projected = forward_together(x, {gate_.get(), up_.get()});
  return down_->forward(swiglu(projected[0], projected[1]));
}

std::vector<std::shared_ptr<VerbalizerBlock>> make_blocks(const VerbalizerConfig& config, const TextConfig& backbone) {
  const auto [kind, num_blocks] = layout_of(config.architecture);
  const int64_t width = backbone.hidden_size;
  TORCH_CHECK(!config.residual || kind != BlockKind::kDecoder, "a decoder layer has residuals inside");
  if (config.output_width != 0) {
    TORCH_CHECK(config.architecture == Architecture::kVerbFfn && !config.residual && !config.final_norm,
                "only a plain verb-FFN has an output width of its own");
    return {std::make_shared<GatedFfn>(width, config.output_width, config.output_width)};
  }
  std::vector<std::shared_ptr<VerbalizerBlock>> blocks;
  for (int64_t i = 0; i < num_blocks; ++i) {
    switch (kind) {
      case BlockKind::kVerbFfn: blocks.push_back(std::make_shared<GatedFfn>(width, width, width)); break;
      case BlockKind::kFfn:
        blocks.push_back(std::make_shared<GatedFfn>(width, backbone.intermediate_size, width));
        break;
      case BlockKind::kDecoder: blocks.push_back(std::make_shared<DecoderBlock>(backbone)); break;
      case BlockKind::kMlp: blocks.push_back(std::make_shared<MlpMap>(width, /*after_another=*/i > 0)); break;
    }
  }
  return blocks;
}

}  // namespace vlsi
