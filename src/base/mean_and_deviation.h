// The mean of repeated measurements, and how far they spread.
#pragma once

#include <cstdint>
#include <optional>
#include <span>

namespace vlsi {

struct MeanAndDeviation {
  double mean = 0;
  std::optional<double> deviation;  // the sample's; none of a single value
  int64_t count = 0;
};

/// Of one value or more.
MeanAndDeviation mean_and_deviation(std::span<const double> values);

}  // namespace vlsi
