// The arithmetic of AdamW and of gradient clipping, in one pass over memory each, on all threads.
#pragma once

#include <ATen/core/Tensor.h>

#include <vector>

namespace vlsi {

/// A parameter's tensors in float32, contiguous, on the CPU, of one size.
struct AdamwTensors {
  at::Tensor parameter, gradient, exp_avg, exp_avg_sq;
  double step;  // number of this update, from 1
};

struct AdamwRates {
  double learning_rate, beta1, beta2, eps, weight_decay;
};

/// Whether the two functions below can work on these tensors.
bool is_plain(const AdamwTensors& tensors);

/// The norm of all gradients together. Squares are summed in float64, by chunks of a fixed size: the same on any number
/// of threads.
double gradient_norm(const std::vector<AdamwTensors>& all);

/// With g = gradient_scale · gradient:
///     p ← p (1 - rate · decay);  m ← β1 m + (1 - β1) g;  v ← β2 v + (1 - β2) g²
///     p ← p - rate / (1 - β1^step) · m / (sqrt(v / (1 - β2^step)) + eps)
/// The gradients stay as they are.
void adamw_update(const std::vector<AdamwTensors>& all, const AdamwRates& rates, double gradient_scale);

}  // namespace vlsi
