// The networks that a verbalizer may be: the paper's architectures.
// (D width, F width of the decoder's FFN, T tokens, N answer positions)
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "model/config.h"
#include "model/decoder.h"
#include "model/linear.h"
#include "model/module.h"

namespace vlsi {

enum class VerbalizerArchitecture { kVerbFfn, kVerbFfnX2, kFfn, kFfnX2, kDecoder, kDecoderX2, kMlp, kMlpX2 };

/// Every architecture with its name, the paper's: "verb_ffn", "verb_ffn_x2", ...
const std::vector<std::pair<std::string, VerbalizerArchitecture>>& verbalizer_architectures();

/// The name of one.
std::string name_of(VerbalizerArchitecture architecture);

struct VerbalizerConfig {
  VerbalizerArchitecture architecture = VerbalizerArchitecture::kVerbFfn;
  bool residual = false;     // x + block(x) in place of block(x); not for decoder layers, which have residuals inside
  bool final_norm = false;   // the backbone's final norm between network and head
  int64_t output_width = 0;  // of a verb-FFN whose rows no head reads; 0 is D
};

/// Whether the architecture attends, so that it reads the rows of all tokens, not the answer positions' alone.
bool reads_all_tokens(VerbalizerArchitecture architecture);

/// Weights and biases of one verbalizer of a backbone of these sizes.
int64_t num_parameters(VerbalizerArchitecture architecture, const TextConfig& backbone);

/// One of the one or two parts of a verbalizer. Parameters hold no values until loaded or initialised.
class VerbalizerBlock : public Module {
 public:
  /// x [N, D] -> [N, D]. Of an architecture that reads all tokens: x [T, D] in the sequences of `context` -> the `rows`
  /// [N] (undefined: all) of [T, D]. Others look at neither.
  virtual at::Tensor forward(const at::Tensor& x, const DecoderContext& context, const at::Tensor& rows) const = 0;
};

/// verb-FFN and FFN: down( silu(gate x) * (up x) ), without bias. verb-FFN has the inner width D, FFN the decoder's.
class GatedFfn : public VerbalizerBlock {
 public:
  GatedFfn(int64_t width, int64_t inner_width, int64_t output_width);
  at::Tensor forward(const at::Tensor& x, const DecoderContext& context, const at::Tensor& rows) const override;

 private:
  std::shared_ptr<Linear> gate_, up_, down_;
};

/// The blocks of one verbalizer, in order: one, or two for the `_x2`.
std::vector<std::shared_ptr<VerbalizerBlock>> make_blocks(const VerbalizerConfig& config, const TextConfig& backbone);

}  // namespace vlsi
