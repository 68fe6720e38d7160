// Keys and values of the tokens so far, for generation. (B sequences, H query heads, K key heads, d head width)
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "model/attention.h"
#include "model/config.h"

namespace vlsi {

/// Filled by the packed prompts of B sequences, then extended by one token a sequence and step. Sequences may have
/// different lengths; a step attends to each sequence's own tokens only.
class KvCache {
 public:
  /// Room for `capacity` tokens a sequence.
  KvCache(const TextConfig& config, int64_t num_sequences, int64_t capacity, const at::TensorOptions& options);

  /// Whether the prompts are in: the next pass is one token a sequence.
  bool has_prompt() const { return !lengths_.empty(); }

  /// Stores a layer's keys and values [T, K, d] of the packed prompts, whose runs are `runs`.
  void store_prompt(int64_t layer_index, const at::Tensor& k, const at::Tensor& v,
                    const std::vector<SequenceRun>& runs);

  /// Appends one token a sequence (k, v [B, K, d]) and lets q [B, H, d] attend to all tokens so far. Returns [B, H, d].
  at::Tensor append_and_attend(int64_t layer_index, const at::Tensor& q, const at::Tensor& k, const at::Tensor& v);

  /// Ends a pass, once all layers have stored: after the prompts with their runs, after a step with none.
  void finish_prompt(const std::vector<SequenceRun>& runs);
  void finish_step();

  /// Goes on with these sequences only, in this order; an index may stand several times. [B'] int64
  void select(const at::Tensor& sequences);

 private:
  struct Layer {
    at::Tensor k, v;  // [B, K, capacity, d]
  };
  std::vector<Layer> layers_;
  std::vector<int64_t> lengths_;  // [B], without the token being appended
};

}  // namespace vlsi
