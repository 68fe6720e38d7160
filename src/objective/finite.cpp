#include "objective/finite.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>

#include "base/error.h"

namespace vlsi {

std::vector<std::string> layer_names(const std::string& whose, const std::vector<int64_t>& layers, bool with_last) {
  std::vector<std::string> names;
  for (const int64_t layer : layers) names.push_back(concat(whose, " layer ", layer));
  if (with_last) names.push_back("the " + whose + "'s last layer");
  return names;
}

namespace {

/// Samples by their answer positions.
struct Answers {
  std::vector<int64_t> starts;  // [B + 1]: the sample whose answers hold a position
  std::vector<std::string> ids;
};

/// Error naming the first of `values` that is not `finite`; nothing where all are.
void report_not_finite(const at::Tensor& values, const at::Tensor& finite, const std::string& what,
                       const std::vector<std::string>& names, const Answers& answers) {
  if (finite.all().item<bool>()) return;
  TORCH_CHECK(values.size(0) == static_cast<int64_t>(names.size()), names.size(), " names for ", values.size(0),
              " layers");
  const auto first = finite.logical_not().nonzero()[0].to(at::kCPU);
  const int64_t layer = first[0].item<int64_t>(), position = first[1].item<int64_t>();
  const auto& starts = answers.starts;
  const auto sample = std::upper_bound(starts.begin(), starts.end(), position) - starts.begin() - 1;
  const auto value = values[layer][position].item<double>();
  fail(names[layer], ": the ", what, " is ",
       std::isnan(value) ? "nan"
       : value > 0       ? "inf"
                         : "-inf",
       " at answer token ", position - starts[sample] + 1, " of sample '", answers.ids[sample],
       "', expected a number; look for broken weights or pictures, or lower the learning rate");
}

}  // namespace

void check_finite(const at::Tensor& values, const std::string& what, const std::vector<std::string>& names,
                  const Batch& batch) {
  const auto own = values.detach(), finite = own.isfinite();
  if (!finite.all().item<bool>()) report_not_finite(own, finite, what, names, {batch.answer_starts, batch.ids});
}

void check_finite(const at::Tensor& values, const std::string& what, const std::vector<std::string>& names,
                  const Batch& batch, std::vector<PendingCheck>& pending) {
  if (values.is_cpu()) return check_finite(values, what, names, batch);
  const auto own = values.detach(), finite = own.isfinite();
  pending.push_back({finite.all(), [=, answers = Answers{batch.answer_starts, batch.ids}] {
                       report_not_finite(own, finite, what, names, answers);
                     }});
}

void settle(const std::vector<PendingCheck>& pending) {
  for (const auto& check : pending) {
    if (!check.passed.item<bool>()) check.report();
  }
}

}  // namespace vlsi
