// Verbalizers: one small network per target layer that lets the backbone's own language head read the layer's hidden
// rows. (L target layers, T tokens, N answer positions, D width)
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "model/cost.h"
#include "model/module.h"
#include "model/vlm.h"
#include "teacher/verbalizer_networks.h"

namespace vlsi {

/// What a set of verbalizers was trained on.
struct BackboneFingerprint {
  int64_t width = 0, num_layers = 0, vocab_size = 0;
  std::string head;    // of the language head's weights
  std::string layers;  // of the decoder's weights
  std::string dtype;   // of both, when they were made: other dtypes have other fingerprints

  static BackboneFingerprint of(const Vlm& model);
};

/// The verbalizers of all target layers of a model. Parameter names are `layers.{i}.` and the network's own
/// (`gate.weight`), with the block's number before them where there are two (`layers.{i}.0.gate.weight`); i is the
/// 1-based decoder layer. With `final_norm`, also `norm.weight`, a copy of the backbone's.
class Verbalizers : public Module {
 public:
  /// Random float32 networks for the layers of a backbone of these sizes, a function of `seed` alone: matrices of std
  /// 1/sqrt(inputs), biases 0, norms 1. With `config.residual` the last map of each block is zero instead, so that a
  /// network starts as the identity: with the final norm, what the head reads is then what it reads at the last layer
  /// (the logit lens).
  Verbalizers(const VerbalizerConfig& config, const TextConfig& backbone, const std::vector<int64_t>& layers,
              uint64_t seed);

  /// The same for `model`, whose final norm it copies where the configuration has one.
  static std::shared_ptr<Verbalizers> of(const Vlm& model, const VerbalizerConfig& config,
                                         const std::vector<int64_t>& layers, uint64_t seed);

  /// What `forward` wants of the backbone, with or without the final rows.
  HiddenRequest request(bool final_rows) const;

  /// hidden [L, N, D], or [L, T, D] where all tokens are read, of any dtype: the layers of `request` for `batch`.
  /// Returns what the language head reads, [L, N, D] in the verbalizers' dtype (its own width with
  /// config.output_width).
  at::Tensor forward(const at::Tensor& hidden, const Batch& batch) const;

  /// The same for rows [N, D] of one target layer alone, where not all tokens are read: [N, D].
  at::Tensor forward_rows(int64_t layer, const at::Tensor& rows) const;

  const VerbalizerConfig& config() const { return config_; }
  /// 1-based target layers, ascending.
  const std::vector<int64_t>& layers() const { return layers_; }

  /// What verbalization trains: every parameter but the final norm.
  NamedTensors trained_parameters() const;

  /// Writes verbalizers.json and verbalizers.safetensors; the directory appears whole or not at all.
  void save(const std::filesystem::path& directory, const BackboneFingerprint& backbone) const;

  /// Reads what `save` wrote, frozen, for a model of sizes `text`. Error when it was trained on a backbone of another
  /// width, depth, vocabulary, dtype or language head; other decoder weights are noted in the log. Layers that `layers`
  /// does not name are left out; a missing one is an Error, and so are layers, stored or named, that do not ascend.
  static std::shared_ptr<Verbalizers> load(const std::filesystem::path& directory, const TextConfig& text,
                                           const BackboneFingerprint& backbone, const std::vector<int64_t>& layers);

 private:
  /// Without values.
  Verbalizers(const VerbalizerConfig& config, const TextConfig& backbone, const std::vector<int64_t>& layers);

  at::Tensor run_network(size_t index, at::Tensor x, const DecoderContext& context, const at::Tensor& rows) const;

  VerbalizerConfig config_;
  TextConfig backbone_;
  std::vector<int64_t> layers_;
  std::vector<std::vector<std::shared_ptr<VerbalizerBlock>>> networks_;  // each layer's blocks
  std::shared_ptr<RmsNormLayer> norm_;                                   // null without final_norm
};

/// Of `num_networks` networks of `num_values` values each, at `num_rows` rows of `width`, beside the model's last
/// layer.
Cost verbalizers_cost(double num_networks, double num_values, double num_rows, double width);

/// What a saved set is, without its weights.
struct VerbalizersDescription {
  VerbalizerConfig config;
  std::vector<int64_t> layers;
  BackboneFingerprint backbone;  // its dtype is "" in sets that do not have it
};

/// Whether a set was saved in `directory`.
bool has_verbalizers(const std::filesystem::path& directory);

/// Error naming the file for another format, unknown architectures and what is missing.
VerbalizersDescription read_verbalizers_description(const std::filesystem::path& directory);

}  // namespace vlsi
