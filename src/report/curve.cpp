#include "report/curve.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>

namespace vlsi {

void Curve::Bucket::add(const Point& point) {
  ++num_points;
  if (!point.y) {
    if (!gap) gap = point;
    return;
  }
  if (!low || *point.y < *low->y) low = point;
  if (!high || *point.y > *high->y) high = point;
}

void Curve::Bucket::add(const Bucket& next) {
  const size_t total = num_points + next.num_points;
  for (const auto* point : {&next.low, &next.high, &next.gap}) {
    if (*point) add(**point);
  }
  num_points = total;
}

void Curve::add(double x, std::optional<double> y) {
  const Point point{x, y};
  if (!first_) first_ = point;
  last_ = point;
  if (buckets_.empty() || buckets_.back().num_points == width_) {
    if (buckets_.size() == max_buckets_) {
      for (size_t i = 0; i < buckets_.size(); ++i) {
        if (i % 2 == 1) {
          buckets_[i / 2].add(buckets_[i]);
        } else {
          buckets_[i / 2] = buckets_[i];
        }
      }
      buckets_.resize((buckets_.size() + 1) / 2);
      width_ *= 2;
    }
    if (buckets_.empty() || buckets_.back().num_points == width_) buckets_.emplace_back();
  }
  buckets_.back().add(point);
}

OrderedJson Curve::to_json() const {
  std::vector<Point> points;
  if (first_) points = {*first_, *last_};
  for (const auto& bucket : buckets_) {
    for (const auto* point : {&bucket.low, &bucket.high, &bucket.gap}) {
      if (*point) points.push_back(**point);
    }
  }
  std::sort(points.begin(), points.end(), [](const Point& a, const Point& b) { return a.x < b.x; });
  points.erase(std::unique(points.begin(), points.end(), [](const Point& a, const Point& b) { return a.x == b.x; }),
               points.end());
  OrderedJson x = OrderedJson::array(), y = OrderedJson::array();
  for (const auto& point : points) {
    const bool is_whole = std::abs(point.x) < 9e15 && point.x == static_cast<double>(static_cast<int64_t>(point.x));
    x.push_back(is_whole ? OrderedJson(static_cast<int64_t>(point.x)) : OrderedJson(point.x));
    y.push_back(point.y ? OrderedJson(shortened(*point.y)) : OrderedJson(nullptr));
  }
  return {{"x", std::move(x)}, {"y", std::move(y)}};
}

double shortened(double value) {
  char text[32];
  std::snprintf(text, sizeof(text), "%.6g", value);
  return std::strtod(text, nullptr);
}

}  // namespace vlsi
