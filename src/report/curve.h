// A curve of any length kept in few points: ends and extremes stay, what lies between them is thinned out.
#pragma once

#include <cstddef>
#include <optional>
#include <vector>

#include "base/json.h"

namespace vlsi {

/// Takes points one after the other, in memory that does not grow with their number. Up to `max_buckets` points are
/// kept as they are; beyond that, neighbours share a bucket that keeps its lowest and its highest point and, if there
/// is one, a gap.
class Curve {
 public:
  explicit Curve(size_t max_buckets = 600) : max_buckets_(max_buckets) {}

  /// `x` above every earlier one; no `y` is a gap: a value that is not a number.
  void add(double x, std::optional<double> y);

  /// {"x": [...], "y": [...]}, x ascending, null for gaps; the first and the last point are always there.
  OrderedJson to_json() const;

 private:
  struct Point {
    double x;
    std::optional<double> y;
  };
  struct Bucket {
    std::optional<Point> low, high, gap;
    size_t num_points = 0;

    void add(const Point& point);
    void add(const Bucket& next);
  };

  size_t max_buckets_, width_ = 1;  // points a full bucket holds
  std::vector<Bucket> buckets_;
  std::optional<Point> first_, last_;
};

/// `value` with six significant digits, as it is written on the page.
double shortened(double value);

}  // namespace vlsi
