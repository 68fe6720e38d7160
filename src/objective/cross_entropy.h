// Cross entropy of the answer tokens through a language head. (S layers, N answer positions, D width, V vocabulary
// rows)
#pragma once

#include <ATen/core/Tensor.h>

namespace vlsi {

/// -log softmax(u headᵀ)[label], nats: [S, N]. u [S, N, D], head [V, D], labels [N] int64 in [0, V). Gradient to u and,
/// where the head requires one, to the head. One pass over the vocabulary; a second one for the head's gradient.
at::Tensor cross_entropy(const at::Tensor& u, const at::Tensor& head, const at::Tensor& labels);

/// The definition, with PyTorch's own gradient.
at::Tensor cross_entropy_plain(const at::Tensor& u, const at::Tensor& head, const at::Tensor& labels);

}  // namespace vlsi
