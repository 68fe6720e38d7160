// How much of a gradient a part of a loss has.
#pragma once

#include <ATen/core/Tensor.h>

#include "base/safetensors.h"

namespace vlsi {

/// The norm over all of `parameters` of the gradient of `loss`, a scalar: [], float32, detached. A backward pass that
/// keeps the graph and leaves the parameters' own gradients as they are. Zero where the loss depends on none of them.
at::Tensor gradient_norm(const at::Tensor& loss, const NamedTensors& parameters);

}  // namespace vlsi
