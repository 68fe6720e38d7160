// Products of matrices, by LibTorch; of bfloat16 on processors where it has no fast one, in float32.
//
// On x86-64 LibTorch multiplies bfloat16 matrices by oneDNN, which needs AVX-512 for them. Without it loops of
// LibTorch's own take 8 to 200 times as long as float32's product, by MKL. There the factors are widened, a
// part of the columns at a time, and the product, whose sums are float32 either way, is rounded once.
#pragma once

#include <ATen/core/Tensor.h>
#include <c10/core/Device.h>
#include <c10/core/ScalarType.h>

#include <optional>

namespace vlsi {

/// Whether products of two tensors of a dtype on a device are computed in float32.
bool multiplies_in_float32(at::ScalarType dtype, at::Device device);
inline bool multiplies_in_float32(const at::Tensor& x) { return multiplies_in_float32(x.scalar_type(), x.device()); }

/// How many float32 numbers live at once then, of a linear map [in] -> [out] of x [num_rows, in] and its gradients.
double widened_values(double num_rows, double in, double out);

/// a b, of matrices [M, K] and [K, N] of one dtype and device.
at::Tensor product(const at::Tensor& a, const at::Tensor& b);
/// sum += scale · a b.
void add_product(at::Tensor& sum, const at::Tensor& a, const at::Tensor& b, double scale);
/// x Wᵀ + b, of x [T, in], W [out, in] and b [out] or none.
at::Tensor affine(const at::Tensor& x, const at::Tensor& weight, const std::optional<at::Tensor>& bias = std::nullopt);

/// sum += scale · a b, computed in float32 and rounded once to the dtype of `sum`: what the others are where
/// multiplies_in_float32.
void add_product_in_float32(at::Tensor& sum, const at::Tensor& a, const at::Tensor& b, double scale);

}  // namespace vlsi
