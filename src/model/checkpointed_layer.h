// Activation checkpointing: a decoder layer that remembers its input alone. (T tokens, N wanted rows, D width)
#pragma once

#include <ATen/core/Tensor.h>

#include "model/decoder.h"

namespace vlsi {

/// layer.forward(x, context, layer_index, rows), [T, D] -> [T, D] or [N, D]. Of the layer's activations only x is kept
/// for the backward pass, which runs the layer again, but for its last product, to have the others: most of a forward
/// pass against the memory of a layer's inside times the number of layers. Values and gradients are the same bit for
/// bit. `layer` must outlive the backward pass; no cache.
at::Tensor forward_checkpointed(const DecoderLayer& layer, const at::Tensor& x, const DecoderContext& context,
                                int64_t layer_index, const at::Tensor& rows);

}  // namespace vlsi
