// Attention over packed sequences of any lengths in one call, on devices that have a kernel for it.
// (T tokens, H query heads, K key heads, d head width)
#pragma once

#include <ATen/core/Tensor.h>

#include <vector>

#include "model/attention.h"

namespace vlsi {

/// Whether the device of these has the kernel, and takes them: half or bfloat16, heads of at most 256 numbers in
/// multiples of 8.
bool has_varied_attention(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v);

/// packed_attention of what has_varied_attention(), with its gradients. The kernel reads where sequences begin and end.
at::Tensor varied_attention(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                            const std::vector<SequenceRun>& runs, bool causal);

}  // namespace vlsi
