// The decoder's small operations. Each has a plain definition in PyTorch operations, which is its meaning and its
// oracle, and one pass over memory, forward and backward, for float32 and bfloat16 on the CPU. In bfloat16 that pass
// computes in float32 and rounds its results once, where the plain operations round each of theirs. (T tokens, H heads,
// D width, d head width)
#pragma once

#include <ATen/core/Tensor.h>

namespace vlsi {

/// x / sqrt(mean(x²) + eps) in float32, rounded to x's dtype, then times weight. x [T, D], weight [D] in x's dtype.
at::Tensor rms_norm(const at::Tensor& x, const at::Tensor& weight, double eps);
at::Tensor rms_norm_plain(const at::Tensor& x, const at::Tensor& weight, double eps);

/// silu(gate) * up; both [T, F].
at::Tensor swiglu(const at::Tensor& gate, const at::Tensor& up);
at::Tensor swiglu_plain(const at::Tensor& gate, const at::Tensor& up);

/// x sigmoid(1.702 x), of any shape.
at::Tensor quick_gelu(const at::Tensor& x);
at::Tensor quick_gelu_plain(const at::Tensor& x);

/// x (1 + tanh(√(2/π) (x + 0.044715 x³))) / 2, of any shape.
at::Tensor gelu_tanh(const at::Tensor& x);
at::Tensor gelu_tanh_plain(const at::Tensor& x);

/// Rotates the pairs (j, j + d/2) of every head by the token's angles: x cos + rotate_half(x) sin.
/// x [T, H, d]; cos, sin [T, d/2] in x's dtype. No gradient to cos and sin.
at::Tensor rotate(const at::Tensor& x, const at::Tensor& cos, const at::Tensor& sin);
at::Tensor rotate_plain(const at::Tensor& x, const at::Tensor& cos, const at::Tensor& sin);

}  // namespace vlsi
