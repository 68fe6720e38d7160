// The vision-language model: vision tower, decoder, language head. (L wanted layers, N answer positions, D width)
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "data/batch.h"
#include "model/config.h"
#include "model/cpu/row_products.h"
#include "model/decoder.h"
#include "model/module.h"
#include "model/vision.h"
#include "model/weight_stream.h"

namespace vlsi {

/// Which rows a forward pass is asked for.
struct HiddenRequest {
  std::vector<int64_t> layers;  // 1-based decoder layers, ascending
  bool final_rows = true;       // without them, layers above the last wanted one are not computed
  bool all_tokens = false;      // of the layers, every token's row and not the answer positions' alone
};

struct Hidden {
  at::Tensor layers;      // [L, N, D] or [L, T, D], the residual stream after each wanted layer; undefined without one
  at::Tensor final_rows;  // [N, D], after the final norm: what the language head reads
};

/// What of a pass has been computed before: the residual stream [T, D] after its first layers.
struct LowerRows {
  int64_t num_layers = 0;
  at::Tensor rows = {};
};

/// Parameter names begin with the part that they belong to: `vision.`, `projector.`, `embeddings.`, `decoder.`,
/// `head.`. Forward passes change nothing in it: threads may share it.
class Vlm : public Module {
 public:
  /// The parameters hold no values until loaded or initialised.
  Vlm(ModelConfig config, std::shared_ptr<VisionTower> tower, std::shared_ptr<Projector> projector);

  /// Hidden rows at the batch's answer positions, or as `request` says. `pictures`, if any, remembers what the tower
  /// makes of them while it is frozen.
  Hidden forward(const Batch& batch, const HiddenRequest& request, PictureFeatures* pictures = nullptr) const;

  /// The same for several batches, all of them through one layer before the next: a streamed weight is read once.
  std::vector<Hidden> forward(std::span<const Batch> batches, const HiddenRequest& request,
                              PictureFeatures* pictures = nullptr) const;

  /// New tokens of sequences whose earlier ones are in the cache of `pass`, as the samples of `batch`; their pictures'
  /// rows are given, its patches are not looked at. The layers of `lower`, whose keys and values are in the cache, are
  /// left out; where those are all, the answer positions must be all tokens. Without gradient.
  Hidden forward_cached(const Batch& batch, PictureRows pictures, const CachedPass& pass,
                        const HiddenRequest& request = {}, const LowerRows& lower = {}) const;

  /// What tower and projector make of the batch's pictures.
  PictureRows look_at_pictures(const Batch& batch, PictureFeatures* pictures) const;

  /// The language head [V, D]; the token embedding itself when tied.
  const at::Tensor& head() const { return head_ ? head_->weight() : embeddings_->weight(); }
  /// The language head as the products of few rows read it: a copy in fewer bits, where quantize_head made one.
  RowMap head_map() const { return {head(), quantized_head_ ? &*quantized_head_ : nullptr}; }
  void quantize_head(Quantization kind) { quantized_head_ = quantize_weight(head(), kind); }

  /// The final norm's weight [D].
  const at::Tensor& final_norm() const { return decoder_->norm().weight(); }

  const ModelConfig& config() const { return config_; }
  const VisionTower& tower() const { return *tower_; }
  const Projector& projector() const { return *projector_; }
  int64_t num_layers() const { return decoder_->num_layers(); }
  /// Dtype of the weights, hence of the activations.
  at::ScalarType dtype() const { return embeddings_->weight().scalar_type(); }
  at::Device device() const { return head().device(); }

  /// Adds an adapter to every linear map of the decoder layers whose name is in `targets`; they change nothing yet.
  /// Error naming `place` for a target that no map is called.
  void add_lora(int64_t rank, double alpha, const std::vector<std::string>& targets, uint64_t seed,
                const std::string& place);
  /// Whether a forward pass that is followed by a backward pass keeps only the inputs of the decoder layers
  /// (checkpointed_layer.h).
  void set_activation_checkpointing(bool is_on) { checkpoints_activations_ = is_on; }

  /// The views of mapped files among the parameters, for release_memory.
  void set_views(std::vector<at::Tensor> views) { views_ = std::move(views); }
  /// Weights that are in memory part by part from now on (streamed_part); without gradient, and not for forward_cached.
  void set_stream(std::unique_ptr<WeightStream> stream) { stream_ = std::move(stream); }
  bool is_streamed() const { return stream_ != nullptr; }
  /// Null when resident.
  WeightStream* stream() { return stream_.get(); }

  /// Takes weights that are views of mapped files out of memory; whatever touches them next has them back.
  void release_memory() const { release_pages(views_); }

  /// Every parameter in the order of named_parameters, as forward passes read it. A streamed one is there for its call
  /// alone.
  void for_each_weight(const std::function<void(const std::string& name, const at::Tensor& weight)>& visit) const;

 private:
  std::optional<WeightStream::Held> hold(size_t part, std::optional<size_t> next = std::nullopt) const;

  ModelConfig config_;
  bool checkpoints_activations_ = false;
  std::shared_ptr<VisionTower> tower_;
  std::shared_ptr<Projector> projector_;
  std::shared_ptr<Embedding> embeddings_;
  std::shared_ptr<Decoder> decoder_;
  std::shared_ptr<Linear> head_;  // null when tied
  std::optional<QuantizedWeight> quantized_head_;
  std::vector<at::Tensor> views_;
  std::unique_ptr<WeightStream> stream_;  // null when resident
};

}  // namespace vlsi
