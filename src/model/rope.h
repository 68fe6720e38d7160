// Rotary angles: M-RoPE for the decoder, 2-D rotary for the vision tower. (T tokens, P patches, d head width)
#pragma once

#include <ATen/core/Tensor.h>

#include <vector>

#include "data/sample.h"
#include "model/config.h"

namespace vlsi {

struct RotaryTable {
  at::Tensor cos, sin;  // [T, d/2], computed in float32, then rounded to the activations' dtype
};

/// positions [3, T] int64. Frequency j = theta^(-2j/d) follows the axis that mrope_section gives it.
RotaryTable mrope_table(const at::Tensor& positions, const TextConfig& config, at::ScalarType dtype);

/// Each patch's row and column inside its picture, in the order of the patches (merge blocks); d/4 frequencies of base
/// 10000 each. [P, d/2]
RotaryTable vision_rotary_table(const std::vector<ImageGrid>& grids, const VisionConfig& config,
                                const at::TensorOptions& options);

}  // namespace vlsi
