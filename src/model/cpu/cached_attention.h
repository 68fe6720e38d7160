// Attention of each sequence's newest token to its cached keys and values, on the CPU. Several new tokens of one are
// the newest of as many sequences, which share their slots.
// (B sequences, H query heads, K key heads, d head width)
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <span>

#include "model/cpu/cpu_kernels.h"

namespace vlsi {

/// Where a sequence's tokens are in a pool of slots: token t in slot blocks[t / 16] * 16 + t % 16.
struct CachedSpan {
  const int32_t* blocks;
  int64_t length;  // at least 1
};

/// Whether cached_attention computes these: on the CPU, all in float32 or all in bfloat16, and no gradient is wanted.
bool has_cached_attention(const at::Tensor& q, const at::Tensor& k);

/// softmax(q kᵀ / √d) v, with the softmax and all sums in float32. q [B, H, d]; pools k and v [slots, K, d], of the
/// same dtype, with neighbouring numbers of a head; H a multiple of K: key head j serves query heads j·H/K ...
/// (j+1)·H/K - 1. Returns [B, H, d] in q's dtype. A sequence's result is the same bit for bit whatever sequences are
/// beside it and wherever its slots are. Only where has_cached_attention.
at::Tensor cached_attention(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                            std::span<const CachedSpan> sequences);

/// The same by the kernels of `kernels`.
at::Tensor cached_attention(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                            std::span<const CachedSpan> sequences, const CpuKernels& kernels);

}  // namespace vlsi
