// Attention without a mask in bfloat16 on CPUs with AVX512-BF16. (T tokens, H heads, d head width)
#pragma once

#include <ATen/core/Tensor.h>

#include <vector>

#include "model/attention.h"

namespace vlsi {

/// Whether full_attention computes these: q, k, v [T, H, d] in bfloat16 on the CPU, no gradient is wanted, heads are
/// neighbours in memory and a multiple of 8 wide, and the processor has AVX512-BF16 without AMX, for which LibTorch's
/// own attention is as fast.
bool has_full_attention(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v);

/// softmax(q kᵀ / √d) v inside each sequence, [T, H, d]: an online softmax over tiles of keys, with float32 sums; the
/// probabilities are rounded to bfloat16 and divided by the sum of what they were rounded to. Only where
/// has_full_attention.
at::Tensor full_attention(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                          const std::vector<SequenceRun>& runs);

}  // namespace vlsi
