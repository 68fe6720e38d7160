// Rotary angles of the decoder. (T tokens, A axes, d head width)
#pragma once

#include <ATen/core/Tensor.h>

#include "model/config.h"

namespace vlsi {

struct RotaryTable {
  at::Tensor cos, sin;  // [T, d/2], computed in float32, then rounded to the activations' dtype
};

/// base^(-2j/width) for j = 0 .. width/2 - 1, float32.
at::Tensor inverse_frequencies(int64_t width, double base, at::Device device);

/// positions [A, T] int64. Frequency j = theta^(-2j/d) follows the axis that rope_sections gives it.
RotaryTable rotary_table(const at::Tensor& positions, const TextConfig& config, at::ScalarType dtype);

}  // namespace vlsi
