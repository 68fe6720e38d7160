// What the objective needs to know of a language head's distribution over the vocabulary, without keeping its logits.
// (S layers, N answer positions, D width, V vocabulary rows, R width of the averaged rows)
#pragma once

#include <ATen/core/Tensor.h>

#include "model/cost.h"

namespace vlsi {

/// Of q = softmax(u Wᵀ), at every layer and position; float32, or float64 for float64 rows.
struct HeadSummary {
  at::Tensor logsumexp;     // [S, N]
  at::Tensor expected_row;  // [S, N, R], sum over v of q(v) rows[v]
  at::Tensor entropy;       // [S, N], nats
};

/// The definition: all logits at once. u [S, N, D], head [V, D], rows [V, R].
HeadSummary head_summary_plain(const at::Tensor& u, const at::Tensor& head, const at::Tensor& rows);

/// The same in one pass over the vocabulary: memory does not grow with V. Without gradient. u is rounded to the head's
/// dtype, as the model itself would (as_head_reads). bfloat16 heads on the CPU run on vocabulary_pass.h where the
/// processor has it.
HeadSummary head_summary(const at::Tensor& u, const at::Tensor& head, const at::Tensor& rows);

/// Of S * N rows: sums of expected rows, twice at the pass's end, beside its tiles; logits and expected rows.
Cost head_summary_cost(double num_rows, double vocab_size, double width, double row_width);

/// u in the dtype in which `head` multiplies it.
at::Tensor as_head_reads(const at::Tensor& u, const at::Tensor& head);

/// The gradient of sum over s, n of g (logsumexp - u · head[label]) to the head, [V, D] in its dtype: a second pass. g
/// and logsumexp [S, N], labels [N] int64 in [0, V).
at::Tensor head_gradient(const at::Tensor& u, const at::Tensor& head, const at::Tensor& labels,
                         const at::Tensor& logsumexp, const at::Tensor& g);

}  // namespace vlsi
