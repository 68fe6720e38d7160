// One pass over a bfloat16 vocabulary on the CPU: tiles of the head, an online softmax, and the rows that it expects.
// (M positions of all layers, D width, V vocabulary rows, R width of the averaged rows)
#pragma once

#include <ATen/core/Tensor.h>

#include "objective/cpu/tile_products.h"
#include "objective/head_summary.h"

namespace vlsi {

/// The input of a pass over bfloat16 tensors u [M, D], head [V, D], rows [V, R] (undefined: none), all contiguous.
HeadPassInput head_pass_input(const at::Tensor& u, const at::Tensor& head, const at::Tensor& rows);

/// The summary of softmax(u Wᵀ), [M] and [M, R] in float32. A tile of logits is made, its probabilities are rounded to
/// bfloat16 and averaged over the tile's rows, and it is thrown away. Sums run in float32 within a tile, then across
/// tiles. Expected row and entropy both weigh by the rounded probabilities, divided by their own sum, so that what a KL
/// takes from them cancels.
HeadSummary summarize_vocabulary(const HeadPassInput& input, TileProducts& products);

/// The gradient of sum over m of g[m] (logsumexp[m] - z[m, labels[m]]) to the head, [V, D] in bfloat16: a second pass.
/// logsumexp and g [M] float32, labels [M] int64.
at::Tensor vocabulary_gradient(const HeadPassInput& input, TileProducts& products, const at::Tensor& logsumexp,
                               const at::Tensor& g, const at::Tensor& labels);

}  // namespace vlsi
