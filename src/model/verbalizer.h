// Verbalizers: one small network per target layer that lets the backbone's own language head read the layer's hidden rows.
// (L target layers, N answer positions, D width)
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "model/linear.h"
#include "model/module.h"
#include "model/vlm.h"

namespace vlsi {

/// verb-FFN: down( silu(gate h) * (up h) ), three D x D maps without bias.
class VerbFfn : public Module {
 public:
  explicit VerbFfn(int64_t width);
  at::Tensor forward(const at::Tensor& h) const;
  at::ScalarType dtype() const { return gate_->weight().scalar_type(); }

 private:
  std::shared_ptr<Linear> gate_, up_, down_;
};

/// What a set of verbalizers was trained on.
struct BackboneFingerprint {
  int64_t width = 0, num_layers = 0, vocab_size = 0;
  std::string head;    // of the language head's weights
  std::string layers;  // of the decoder's weights

  static BackboneFingerprint of(const Vlm& model);
};

/// The verbalizers of all target layers of a model. Parameter names are `layers.{i}.gate|up|down.weight`, i the 1-based
/// decoder layer.
class Verbalizers : public Module {
 public:
  /// Random float32 weights of std 1/sqrt(D); a function of `seed` alone.
  Verbalizers(int64_t width, const std::vector<int64_t>& layers, uint64_t seed);

  /// hidden [L, N, D] of any dtype -> what the language head reads, [L, N, D] in the verbalizers' dtype.
  at::Tensor forward(const at::Tensor& hidden) const;

  /// 1-based target layers, ascending.
  const std::vector<int64_t>& layers() const { return layers_; }

  /// Writes verbalizers.json and verbalizers.safetensors; the directory appears whole or not at all.
  void save(const std::filesystem::path& directory, const BackboneFingerprint& backbone) const;

  /// Reads what `save` wrote, frozen. Error when it was trained on a backbone of another width, depth or language head;
  /// other decoder weights are noted in the log. Layers that `layers` does not name are left out; a missing one is an Error.
  static std::shared_ptr<Verbalizers> load(const std::filesystem::path& directory, const BackboneFingerprint& backbone,
                                           const std::vector<int64_t>& layers);

 private:
  std::vector<int64_t> layers_;
  std::vector<std::shared_ptr<VerbFfn>> networks_;
};

}  // namespace vlsi
