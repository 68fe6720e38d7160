#include "objective/self_check.h"

#include <ATen/ATen.h>
#include <ATen/Dispatch.h>
#include <ATen/core/grad_mode.h>

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "base/parallel.h"
#include "objective/head_summary.h"

namespace vlsi {
namespace {

constexpr int64_t kTogether = 4;  // rows of the head: their sums run side by side

/// logits [m, V] += head [V, D] times u, whose float64 numbers stand as [D, kCheckedRows].
template <class Number>
void multiply(const Number* head, int64_t vocab_size, int64_t width, const double* u, int64_t num_rows,
              double* logits) {
  parallel_for(0, (vocab_size + kTogether - 1) / kTogether, 64, [=](int64_t begin, int64_t end) {
    for (int64_t v = begin * kTogether; v < std::min(end * kTogether, vocab_size); v += kTogether) {
      double sums[kTogether][kCheckedRows] = {};
      const int64_t count = std::min(kTogether, vocab_size - v);
      for (int64_t d = 0; d < width; ++d) {
        for (int64_t i = 0; i < kTogether; ++i) {
          const auto number = static_cast<double>(head[(v + std::min(i, count - 1)) * width + d]);
#pragma omp simd
          for (int64_t r = 0; r < kCheckedRows; ++r) sums[i][r] += number * u[d * kCheckedRows + r];
        }
      }
      for (int64_t i = 0; i < count; ++i) {
        for (int64_t r = 0; r < num_rows; ++r) logits[r * vocab_size + v + i] = sums[i][r];
      }
    }
  });
}

/// u [m, D] headᵀ in float64. Sums in plain loops, which share nothing with the products that are checked.
at::Tensor logits_in_float64(const at::Tensor& u, const at::Tensor& head) {
  auto columns = at::zeros({u.size(1), kCheckedRows}, at::kDouble);
  columns.narrow(1, 0, u.size(0)).copy_(u.t());
  const auto dense = head.to(at::kCPU).contiguous();
  auto logits = at::empty({u.size(0), head.size(0)}, at::kDouble);
  AT_DISPATCH_FLOATING_TYPES_AND2(at::kHalf, at::kBFloat16, dense.scalar_type(), "logits_in_float64", [&] {
    multiply(dense.const_data_ptr<scalar_t>(), head.size(0), head.size(1), columns.const_data_ptr<double>(), u.size(0),
             logits.mutable_data_ptr<double>());
  });
  return logits;
}

/// head_summary_plain of u [m, D] in float64, without a float64 copy of the matrices.
HeadSummary in_float64(const at::Tensor& u, const at::Tensor& head, const at::Tensor& rows) {
  constexpr int64_t kConverted = 2048;                                   // rows at a time
  const auto logits = logits_in_float64(u, head);                        // [m, V]
  const auto logsumexp = at::logsumexp(logits, -1);                      // [m]
  const auto probabilities = at::exp(logits - logsumexp.unsqueeze(-1));  // [m, V]
  auto expected_row = at::zeros({u.size(0), rows.size(1)}, at::kDouble);
  for (int64_t first = 0; first < rows.size(0); first += kConverted) {
    const int64_t count = std::min(kConverted, rows.size(0) - first);
    expected_row.addmm_(probabilities.narrow(1, first, count), rows.narrow(0, first, count).to(at::kCPU, at::kDouble));
  }
  return {logsumexp, expected_row, logsumexp - (probabilities * logits).sum(-1)};
}

/// Error unless the values by the definition, `exact` [m], are finite, and all `deviations` [m] from them at most
/// `bound`.
void demand(const at::Tensor& exact, const at::Tensor& deviations, double bound, const char* what,
            const std::vector<std::string>& names) {
  for (int64_t i = 0; i < deviations.size(0); ++i) {
    if (const double value = exact[i].item<double>(); !std::isfinite(value)) {
      fail("checking the objective before training: ", names[i], ": the ", what, " is ", value,
           " in float64, expected a finite number; weights or inputs of the model are NaN or infinite");
    }
    const double deviation = deviations[i].item<double>();
    if (deviation <= bound) continue;  // a NaN is not
    fail("checking the objective before training: ", names[i], ": the ", what, " deviates by ", deviation,
         " from float64, expected at most ", bound,
         "; the products of this machine cannot be trusted with these weights");
  }
}

}  // namespace

void check_head_summary(const at::Tensor& u, const at::Tensor& head, const at::Tensor& rows,
                        const std::vector<std::string>& layer_names) {
  at::NoGradGuard no_grad;
  const int64_t num_layers = u.size(0), num_positions = u.size(1);
  TORCH_CHECK(static_cast<int64_t>(layer_names.size()) == num_layers, layer_names.size(), " names for ", num_layers,
              " layers");
  const int64_t num_rows = std::min(kCheckedRows, num_layers * num_positions);
  if (num_rows == 0) return;

  std::vector<at::Tensor> checked;
  std::vector<std::string> names;
  for (int64_t i = 0; i < num_rows; ++i) {
    // Every layer in turn, and positions from the whole batch.
    const int64_t layer = i % num_layers, position = i * num_positions / num_rows;
    checked.push_back(u[layer][position]);
    names.push_back(layer_names[layer]);
  }
  const auto chosen = as_head_reads(at::stack(checked), head);  // [m, D]
  const auto found = head_summary(chosen.unsqueeze(0), head, rows);
  const auto exact = in_float64(chosen.to(at::kCPU, at::kDouble), head, rows);
  const auto off = [](const at::Tensor& a, const at::Tensor& b) { return (a[0].to(at::kCPU, at::kDouble) - b).abs(); };
  demand(exact.logsumexp, off(found.logsumexp, exact.logsumexp) / exact.logsumexp.abs().clamp_min(1), kLogSumExpBound,
         "logsumexp", names);
  demand(exact.entropy, off(found.entropy, exact.entropy), kEntropyBound, "entropy", names);
  const auto norm = at::linalg_vector_norm(exact.expected_row, 2, -1);
  demand(norm, at::linalg_vector_norm(off(found.expected_row, exact.expected_row), 2, -1) / norm.clamp_min(1e-30),
         kExpectedRowBound, "expected row", names);
}

double head_check_bytes(double vocab_size, double width) {
  constexpr double kConvertedRows = 2048;
  return sizeof(double) * (4 * static_cast<double>(kCheckedRows) * vocab_size + kConvertedRows * width);
}

}  // namespace vlsi
