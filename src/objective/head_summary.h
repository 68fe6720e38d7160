// What the objective needs to know of a language head's distribution over the vocabulary, without keeping its logits.
// (S layers, N answer positions, D width, V vocabulary rows, R width of the averaged rows)
#pragma once

#include <ATen/core/Tensor.h>

namespace vlsi {

/// Of q = softmax(u Wᵀ), at every layer and position; float32, or float64 for float64 rows.
struct HeadSummary {
  at::Tensor logsumexp;     // [S, N]
  at::Tensor expected_row;  // [S, N, R], sum over v of q(v) rows[v]
  at::Tensor entropy;       // [S, N], nats
};

/// The definition: all logits at once. u [S, N, D], head [V, D], rows [V, R].
HeadSummary head_summary_plain(const at::Tensor& u, const at::Tensor& head, const at::Tensor& rows);

/// The same, tile by tile of positions, so that no more than kTileElements logits exist at a time. Without gradient.
HeadSummary head_summary(const at::Tensor& u, const at::Tensor& head, const at::Tensor& rows);

/// Logits that a tile may hold; 64 MiB of float32.
inline constexpr int64_t kTileElements = int64_t{16} << 20;

/// Positions of a tile for S layers and V vocabulary rows; at least one.
int64_t tile_positions(int64_t num_layers, int64_t vocab_size);

}  // namespace vlsi
