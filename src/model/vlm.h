// The vision-language model: vision tower, decoder, language head. (L wanted layers, N answer positions, D width)
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "data/batch.h"
#include "model/config.h"
#include "model/decoder.h"
#include "model/feature_cache.h"
#include "model/feature_files.h"
#include "model/module.h"
#include "model/vision_tower.h"
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

/// Parameter names equal the gen-1 names of checkpoints (`visual.`, `model.`, `lm_head.weight`).
class Vlm : public Module {
 public:
  /// The parameters hold no values until loaded or initialised.
  explicit Vlm(const ModelConfig& config);

  /// Hidden rows at the batch's answer positions, or as `request` says. With `cache`, also stores the prompts' keys and
  /// values.
  Hidden forward(const Batch& batch, const HiddenRequest& request, KvCache* cache = nullptr) const;

  /// The same for several batches, all of them through one layer before the next: a streamed weight is read once.
  std::vector<Hidden> forward(std::span<const Batch> batches, const HiddenRequest& request) const;

  /// One more token a sequence: tokens [B] at `positions` [B], the same on every axis. Returns the final rows [B, D].
  at::Tensor forward_next(const at::Tensor& tokens, const at::Tensor& positions, KvCache& cache) const;

  /// The language head [V, D]; the token embedding itself when tied.
  const at::Tensor& head() const { return lm_head_ ? lm_head_->weight() : model_->embed_tokens().weight(); }

  /// The final norm's weight [D].
  const at::Tensor& final_norm() const { return model_->norm().weight(); }

  const ModelConfig& config() const { return config_; }
  int64_t num_layers() const { return model_->num_layers(); }
  /// Dtype of the weights, hence of the activations.
  at::ScalarType dtype() const { return model_->embed_tokens().weight().scalar_type(); }
  at::Device device() const { return head().device(); }

  /// Adds an adapter to every linear map of the decoder layers whose name is in `targets`; they change nothing yet.
  /// Error naming `place` for a target that no map is called.
  void add_lora(int64_t rank, double alpha, const std::vector<std::string>& targets, uint64_t seed,
                const std::string& place);
  /// Whether a forward pass that is followed by a backward pass keeps only the inputs of the decoder layers
  /// (checkpointed_layer.h).
  void set_activation_checkpointing(bool is_on) { checkpoints_activations_ = is_on; }

  /// Keeps what the frozen vision tower says of pictures in `directory` from now on, too (FeatureFiles), for this
  /// tower's weights as they are when it first looks at a picture. Empty: in memory alone.
  void set_vision_cache(std::filesystem::path directory) { vision_cache_ = std::move(directory); }

  /// The views of mapped files among the parameters, for release_memory.
  void set_views(std::vector<at::Tensor> views) { views_ = std::move(views); }
  /// Weights that are in memory part by part from now on (streamed_part); without gradient, and not for forward_next.
  void set_stream(std::unique_ptr<WeightStream> stream) { stream_ = std::move(stream); }
  bool is_streamed() const { return stream_ != nullptr; }

  /// Takes weights that are views of mapped files out of memory; whatever touches them next has them back.
  void release_memory() const { release_pages(views_); }

  /// Every parameter in the order of named_parameters, as forward passes read it. A streamed one is there for its call
  /// alone.
  void for_each_weight(const std::function<void(const std::string& name, const at::Tensor& weight)>& visit) const;

 private:
  std::vector<Hidden> run(std::span<const Batch> batches, const HiddenRequest& request, KvCache* cache) const;
  std::optional<WeightStream::Held> hold(size_t part, std::optional<size_t> next = std::nullopt) const;
  at::Tensor embed(const Batch& batch) const;
  at::Tensor look_at_pictures(const Batch& batch) const;
  at::Tensor look_at_picture(uint64_t picture, const at::Tensor& patches, const ImageGrid& grid) const;

  ModelConfig config_;
  bool checkpoints_activations_ = false;
  mutable FeatureCache features_;  // of the vision tower while it is frozen
  std::filesystem::path vision_cache_;
  mutable std::unique_ptr<FeatureFiles> feature_files_;  // in vision_cache_
  std::shared_ptr<VisionTower> visual_;
  std::shared_ptr<Decoder> model_;
  std::shared_ptr<Linear> lm_head_;  // null when tied
  std::vector<at::Tensor> views_;
  std::unique_ptr<WeightStream> stream_;  // null when resident
};

}  // namespace vlsi
