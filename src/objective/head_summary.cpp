#include "objective/head_summary.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <algorithm>
#include <vector>

#include "objective/cpu/tile_products.h"
#include "objective/cpu/vocabulary_pass.h"

namespace vlsi {
namespace {

constexpr int64_t kBlockPositions = 2048;  // of the passes in PyTorch operations: a block's tile of logits is 8 MiB

at::ScalarType at_least_float(const at::Tensor& x) { return at::promote_types(x.scalar_type(), at::kFloat); }

/// a · b with sums, and a result, in float32 at least. a [m, k], b [k, n].
at::Tensor wide_product(const at::Tensor& a, const at::Tensor& b) {
  if (a.is_cuda() && a.scalar_type() == b.scalar_type() && a.element_size() == 2) return at::mm(a, b, at::kFloat);
  return at::mm(a.to(at_least_float(a)), b.to(at_least_float(b)));
}

bool is_bfloat16_on_cpu(const at::Tensor& x) { return x.is_cpu() && x.scalar_type() == at::kBFloat16; }

/// The pass of vocabulary_pass.h in PyTorch operations, for any device and dtype. u [M, D]; results [M], [M, R].
HeadSummary summarize_block(const at::Tensor& u, const at::Tensor& head, const at::Tensor& rows) {
  const auto options = u.options().dtype(at_least_float(u));
  auto maximum = at::full({u.size(0)}, kNoMaximum, options);
  auto sum = at::zeros_like(maximum), rounded_sum = at::zeros_like(maximum), weighted_sum = at::zeros_like(maximum);
  auto expected = at::zeros({u.size(0), rows.size(1)}, options);
  for (int64_t first = 0; first < head.size(0); first += kTileRows) {
    const int64_t count = std::min(kTileRows, head.size(0) - first);
    auto z = wide_product(u, head.narrow(0, first, count).t());  // [M, tile]
    const auto grown = at::maximum(maximum, z.amax(-1));
    const auto drop = maximum - grown, shrink = drop.exp();
    maximum = grown;
    z.sub_(maximum.unsqueeze(-1));
    const auto p = z.exp(), rounded = p.to(rows.scalar_type());
    const auto weights = rounded.to(p.scalar_type());
    weighted_sum = (weighted_sum + drop * rounded_sum) * shrink + (weights * z).sum(-1);
    rounded_sum = rounded_sum * shrink + weights.sum(-1);
    sum = sum * shrink + p.sum(-1);
    expected = expected.mul_(shrink.unsqueeze(-1)).add_(wide_product(rounded, rows.narrow(0, first, count)));
  }
  const auto log_sum = sum.log();
  return {maximum + log_sum, expected.div_(rounded_sum.unsqueeze(-1)), log_sum - weighted_sum / rounded_sum};
}

HeadSummary summarize(const at::Tensor& u, const at::Tensor& head, const at::Tensor& rows) {
  if (is_bfloat16_on_cpu(u) && is_bfloat16_on_cpu(head) && is_bfloat16_on_cpu(rows)) {
    const auto dense_head = head.contiguous(), dense_rows = rows.contiguous();
    const auto input = head_pass_input(u, dense_head, dense_rows);
    if (has_tile_products(input)) return summarize_vocabulary(input, *tile_products(input));
  }
  std::vector<at::Tensor> logsumexp, expected_row, entropy;
  for (const auto& block : u.split(kBlockPositions)) {
    auto part = summarize_block(block, head, rows);
    logsumexp.push_back(std::move(part.logsumexp));
    expected_row.push_back(std::move(part.expected_row));
    entropy.push_back(std::move(part.entropy));
  }
  if (logsumexp.size() == 1) return {logsumexp[0], expected_row[0], entropy[0]};
  return {at::cat(logsumexp), at::cat(expected_row), at::cat(entropy)};
}

}  // namespace

HeadSummary head_summary_plain(const at::Tensor& u, const at::Tensor& head, const at::Tensor& rows) {
  const auto wide = u.to(at_least_float(u));
  const auto logits = at::matmul(wide, head.to(wide.scalar_type()).t());  // [S, N, V]
  const auto logsumexp = at::logsumexp(logits, -1);                       // [S, N]
  const auto probabilities = at::exp(logits - logsumexp.unsqueeze(-1));   // [S, N, V]
  const auto expected_row = at::matmul(probabilities, rows.to(wide.scalar_type()));
  return {logsumexp, expected_row, logsumexp - (probabilities * logits).sum(-1)};
}

Cost head_summary_cost(double num_rows, double vocab_size, double width, double row_width) {
  Cost cost;
  cost.working_floats = 2 * num_rows * row_width;
  cost.operations = 2 * num_rows * vocab_size * (width + row_width);
  return cost;
}

at::Tensor as_head_reads(const at::Tensor& u, const at::Tensor& head) { return u.to(head.scalar_type()); }

HeadSummary head_summary(const at::Tensor& u, const at::Tensor& head, const at::Tensor& rows) {
  at::NoGradGuard no_grad;
  const int64_t num_layers = u.size(0), num_positions = u.size(1);
  const auto flat = as_head_reads(u, head).reshape({num_layers * num_positions, u.size(2)});
  const auto summary = summarize(flat, head, rows);
  return {summary.logsumexp.view({num_layers, num_positions}),
          summary.expected_row.view({num_layers, num_positions, rows.size(1)}),
          summary.entropy.view({num_layers, num_positions})};
}

at::Tensor head_gradient(const at::Tensor& u, const at::Tensor& head, const at::Tensor& labels,
                         const at::Tensor& logsumexp, const at::Tensor& g) {
  at::NoGradGuard no_grad;
  const auto flat = as_head_reads(u, head).reshape({-1, u.size(2)});                      // [M, D]
  const auto c = logsumexp.reshape({-1}), weight = g.expand_as(logsumexp).reshape({-1});  // [M]
  const auto label = labels.expand_as(logsumexp).reshape({-1});
  if (is_bfloat16_on_cpu(flat)) {
    const auto dense_head = head.contiguous();
    const auto input = head_pass_input(flat, dense_head, {});
    if (has_tile_products(input)) return vocabulary_gradient(input, *tile_products(input), c, weight, label);
  }
  auto gradient = at::empty_like(head);
  for (int64_t first = 0; first < head.size(0); first += kTileRows) {
    const int64_t count = std::min(kTileRows, head.size(0) - first);
    const auto z = wide_product(flat, head.narrow(0, first, count).t());  // [M, tile]
    auto q = (z - c.unsqueeze(-1)).exp_();
    const auto is_here = label.ge(first) & label.lt(first + count);
    q.scatter_add_(1, (label - first).clamp(0, count - 1).unsqueeze(-1),
                   is_here.to(q.scalar_type()).neg_().unsqueeze(-1));
    q.mul_(weight.unsqueeze(-1));
    gradient.narrow(0, first, count).copy_(at::mm(q.t(), flat.to(q.scalar_type())));
  }
  return gradient;
}

}  // namespace vlsi
