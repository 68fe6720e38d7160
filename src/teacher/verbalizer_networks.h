// The networks that a verbalizer may be: the paper's architectures.
// (D width, F width of the decoder's FFN, T tokens, N answer positions)
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/table.h"
#include "model/config.h"
#include "model/decoder.h"
#include "model/module.h"

namespace vlsi {

/// One of the networks in a row that a verbalizer is. Parameters hold no values until loaded or initialised.
class VerbalizerBlock : public Module {
 public:
  /// x [N, D] -> [N, D]. Of a network that reads all tokens: x [T, D] in the sequences of `context` -> the `rows`
  /// [N] (undefined: all) of [T, D]. Others look at neither.
  virtual at::Tensor forward(const at::Tensor& x, const DecoderContext& context, const at::Tensor& rows) const = 0;
};

using VerbalizerBlocks = std::vector<std::shared_ptr<VerbalizerBlock>>;

/// A verbalizer's network by the paper's name for it.
struct VerbalizerNetwork {
  std::string name, meaning;
  /// Its blocks in order, for a backbone of these sizes; with an output width other than 0 the last one ends in that.
  VerbalizerBlocks (*make_blocks)(const TextConfig& backbone, int64_t output_width);
  bool takes_output_width = false;
  bool reads_all_tokens =
      false;  // it attends, so that it reads the rows of all tokens, not the answer positions' alone
  bool has_residuals_inside = false;
};

/// verb_ffn first.
Table<VerbalizerNetwork>& verbalizer_networks();
using ChosenNetwork = Choice<VerbalizerNetwork, verbalizer_networks>;

struct VerbalizerConfig {
  ChosenNetwork architecture;
  bool residual = false;     // x + block(x) in place of block(x); not for a network with residuals inside
  bool final_norm = false;   // the backbone's final norm between network and head
  int64_t output_width = 0;  // of rows that no head reads; 0 is D
};

/// The blocks of one verbalizer, in order.
VerbalizerBlocks make_blocks(const VerbalizerConfig& config, const TextConfig& backbone);

/// Weights and biases of one verbalizer of a backbone of these sizes.
int64_t num_parameters(const VerbalizerConfig& config, const TextConfig& backbone);

}  // namespace vlsi
