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

void check_finite(const at::Tensor& values, const std::string& what, const std::vector<std::string>& names,
                  const Batch& batch) {
  const auto finite = values.detach().isfinite();
  if (finite.all().item<bool>()) return;
  TORCH_CHECK(values.size(0) == static_cast<int64_t>(names.size()), names.size(), " names for ", values.size(0),
              " layers");
  const auto first = finite.logical_not().nonzero()[0].to(at::kCPU);
  const int64_t layer = first[0].item<int64_t>(), position = first[1].item<int64_t>();
  // answer_starts [B + 1]: the sample whose answers hold the position.
  const auto& starts = batch.answer_starts;
  const auto sample = std::upper_bound(starts.begin(), starts.end(), position) - starts.begin() - 1;
  const auto value = values[layer][position].item<double>();
  fail(names[layer], ": the ", what, " is ",
       std::isnan(value) ? "nan"
       : value > 0       ? "inf"
                         : "-inf",
       " at answer token ", position - starts[sample] + 1, " of sample '", batch.ids[sample],
       "', expected a number; look for broken weights or pictures, or lower the learning rate");
}

}  // namespace vlsi
