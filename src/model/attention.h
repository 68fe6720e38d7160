// Attention within the sequences of a packed batch. (T tokens, H query heads, K key heads, d head width)
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

namespace vlsi {

/// Neighbouring sequences of equal length: they share one call of the attention kernel, without padding.
struct SequenceRun {
  int64_t start, length, count;
};

/// The runs of the sequences that begin at `starts` [B + 1].
std::vector<SequenceRun> find_runs(const std::vector<int64_t>& starts);

/// softmax(q kᵀ / √d) v inside each sequence; causal or not. q [T, H, d], k and v [T, K, d] with H a multiple of K: key
/// head j serves query heads j·H/K ... (j+1)·H/K - 1. Returns [T, H, d].
at::Tensor packed_attention(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                            const std::vector<SequenceRun>& runs, bool causal);

}  // namespace vlsi
