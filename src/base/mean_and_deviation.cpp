#include "base/mean_and_deviation.h"

#include <cmath>
#include <numeric>

namespace vlsi {

MeanAndDeviation mean_and_deviation(std::span<const double> values) {
  const auto count = static_cast<double>(values.size());
  MeanAndDeviation result{std::accumulate(values.begin(), values.end(), 0.0) / count, {}, std::ssize(values)};
  if (values.size() < 2) return result;
  double squares = 0;
  for (const double value : values) squares += (value - result.mean) * (value - result.mean);
  result.deviation = std::sqrt(squares / (count - 1));
  return result;
}

}  // namespace vlsi
