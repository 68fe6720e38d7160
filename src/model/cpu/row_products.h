// Products of few rows with a large weight, as decoding needs them: the weight is read once, in the order in which it
// lies in memory. (T rows)
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <optional>

#include "model/cpu/cpu_kernels.h"

namespace vlsi {

/// Above this many rows, LibTorch's own products are faster.
inline constexpr int64_t kMaxProductRows = 64;

/// Whether row_products computes these: x and weight on the CPU, both float32 or both bfloat16, at most kMaxProductRows
/// rows, and no gradient is wanted.
bool has_row_products(const at::Tensor& x, const at::Tensor& weight);

/// y [T, out] = x [T, in] · Wᵀ + bias, with float32 sums. weight [out, in]; bias [out], float32 or bfloat16, or
/// undefined. y is in `dtype`, float32 or bfloat16. A row is the same bit for bit whatever rows are beside it.
/// Only where has_row_products.
at::Tensor row_products(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias, at::ScalarType dtype);

/// The same by `kernels`.
at::Tensor row_products(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias, at::ScalarType dtype,
                        const CpuKernels& kernels);

}  // namespace vlsi
