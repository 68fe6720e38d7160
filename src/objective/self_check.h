// A check at the start of a run that the fast head summary is right on this machine, on these weights.
// (S layers, N answer positions, D width, V vocabulary rows, R width of the averaged rows)
#pragma once

#include <ATen/core/Tensor.h>

#include <string>
#include <vector>

namespace vlsi {

inline constexpr int64_t kCheckedRows = 8;
/// The largest deviations from float64 that a run may start with: of logsumexp, absolute per unit of its size; of
/// entropy, nats; of the expected row, a share of its norm. bfloat16 probabilities are rounded by up to 2^-9 of
/// themselves, which bounds the last two; broken kernels miss by far more.
inline constexpr double kLogSumExpBound = 1e-3, kEntropyBound = 2e-2, kExpectedRowBound = 1.0 / 128;

/// Recomputes kCheckedRows rows of u [S, N, D], spread over layers and positions, by the definition in float64, and
/// compares them with head_summary(u, head, rows). Error naming the layer (`layer_names` [S]) and the value that
/// is not finite in float64, or whose deviation is above its bound. Reads the head twice, whatever S and N.
void check_head_summary(const at::Tensor& u, const at::Tensor& head, const at::Tensor& rows,
                        const std::vector<std::string>& layer_names);

/// Memory of the check for a head [V, D]: logits, probabilities and their products, and converted rows.
double head_check_bytes(double vocab_size, double width);

}  // namespace vlsi
