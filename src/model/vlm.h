// The vision-language model: vision tower, decoder, language head. (L wanted layers, N answer positions, D width)
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <memory>
#include <vector>

#include "input/batch.h"
#include "model/config.h"
#include "model/decoder.h"
#include "model/feature_cache.h"
#include "model/module.h"
#include "model/vision_tower.h"

namespace vlsi {

/// Which rows a forward pass is asked for.
struct HiddenRequest {
  std::vector<int64_t> layers;  // 1-based decoder layers, ascending
  bool final_rows = true;       // without them, layers above the last wanted one are not computed
  bool all_tokens = false;      // of the layers, every token's row and not the answer positions' alone
};

struct Hidden {
  at::Tensor layers;  // [L, N, D] or [L, T, D], the residual stream after each wanted layer; undefined without one
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

  /// Adds an adapter to every linear map of the decoder layers whose name is in `targets`; they change nothing yet. Error naming
  /// `place` for a target that no map is called.
  void add_lora(int64_t rank, double alpha, const std::vector<std::string>& targets, uint64_t seed, const std::string& place);
  /// Whether a forward pass that is followed by a backward pass keeps only the inputs of the decoder layers
  /// (checkpointed_layer.h).
  void set_activation_checkpointing(bool is_on) { checkpoints_activations_ = is_on; }

  /// Works all adapters into the weights that they stand beside.
  void merge_lora();

 private:
  at::Tensor embed(const Batch& batch) const;
  at::Tensor look_at_pictures(const Batch& batch) const;

  ModelConfig config_;
  bool checkpoints_activations_ = false;
  mutable FeatureCache features_;  // of the vision tower while it is frozen
  std::shared_ptr<VisionTower> visual_;
  std::shared_ptr<Decoder> model_;
  std::shared_ptr<Linear> lm_head_;  // null when tied
};

}  // namespace vlsi
