#include "objective/head_summary.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <algorithm>
#include <vector>

namespace vlsi {
namespace {

at::Tensor at_least_float(const at::Tensor& x) { return x.to(at::promote_types(x.scalar_type(), at::kFloat)); }

}  // namespace

HeadSummary head_summary_plain(const at::Tensor& u, const at::Tensor& head, const at::Tensor& rows) {
  const auto wide = at_least_float(u);
  const auto logits = at::matmul(wide, head.to(wide.scalar_type()).t());   // [S, N, V]
  const auto logsumexp = at::logsumexp(logits, -1);                        // [S, N]
  const auto probabilities = at::exp(logits - logsumexp.unsqueeze(-1));    // [S, N, V]
  const auto expected_row = at::matmul(probabilities, rows.to(wide.scalar_type()));
  return {logsumexp, expected_row, logsumexp - (probabilities * logits).sum(-1)};
}

int64_t tile_positions(int64_t num_layers, int64_t vocab_size) {
  return std::max<int64_t>(1, kTileElements / std::max<int64_t>(1, num_layers * vocab_size));
}

HeadSummary head_summary(const at::Tensor& u, const at::Tensor& head, const at::Tensor& rows) {
  at::NoGradGuard no_grad;
  const int64_t num_positions = u.size(1), tile = tile_positions(u.size(0), head.size(0));
  if (num_positions <= tile) return head_summary_plain(u, head, rows);
  const auto wide_head = head.to(at::promote_types(u.scalar_type(), at::kFloat));
  const auto wide_rows = rows.is_same(head) ? wide_head : rows.to(wide_head.scalar_type());
  std::vector<at::Tensor> logsumexp, expected_row, entropy;
  for (int64_t first = 0; first < num_positions; first += tile) {
    const auto part = head_summary_plain(u.narrow(1, first, std::min(tile, num_positions - first)), wide_head, wide_rows);
    logsumexp.push_back(part.logsumexp);
    expected_row.push_back(part.expected_row);
    entropy.push_back(part.entropy);
  }
  return {at::cat(logsumexp, 1), at::cat(expected_row, 1), at::cat(entropy, 1)};
}

}  // namespace vlsi
