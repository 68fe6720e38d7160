// Products of few rows with a large weight, as decoding needs them: the weight is read once, in the order in which it
// lies in memory. (T rows)
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <span>
#include <vector>

#include "model/cpu/cpu_kernels.h"
#include "model/quantized_weight.h"

namespace vlsi {

/// Above this many rows, LibTorch's own products are faster.
inline constexpr int64_t kMaxProductRows = 64;

/// A linear map: a weight [out, in], float32 or bfloat16, or a quantised one in its place; bias [out], float32 or
/// bfloat16, or undefined.
struct RowMap {
  at::Tensor weight;
  const QuantizedWeight* quantized = nullptr;
  at::Tensor bias = {};
};

/// Whether row_products computes these: at most kMaxProductRows rows of float32 or bfloat16 numbers on the CPU, weights
/// of their dtype, and no gradient is wanted.
bool has_row_products(const at::Tensor& x, const RowMap& map);

/// y [T, out] = x [T, in] · Wᵀ + bias for each map, with float32 sums, in `dtype`, float32 or bfloat16. A row is the
/// same bit for bit whatever rows are beside it. A quantised weight's activations are rounded to 8 bits, eight at a
/// time with a scale of their own. Only where has_row_products; maps have the same `in`, and are quantised alike or not
/// at all.
std::vector<at::Tensor> row_products(const at::Tensor& x, std::span<const RowMap> maps, at::ScalarType dtype,
                                     const CpuKernels& kernels = best_kernels());
at::Tensor row_products(const at::Tensor& x, const RowMap& map, at::ScalarType dtype,
                        const CpuKernels& kernels = best_kernels());

at::Tensor row_products(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias, at::ScalarType dtype,
                        const CpuKernels& kernels = best_kernels());

/// x [in] as the kernels of quantised weights read it, [groups]; one unit of the weights is `weight_offset` too much.
void quantize_activations(const float* x, int64_t in_features, int32_t weight_offset, QuantizedGroup* groups);

}  // namespace vlsi
