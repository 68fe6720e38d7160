#include "study/statistics.h"

#include <c10/util/Exception.h>

#include <cmath>
#include <numbers>

namespace vlsi {
namespace {

/// The share of Student's distribution within ±sqrt(n) tan(angle).
double share_within(int64_t n, double angle) {
  const double sine = std::sin(angle), cosine = std::cos(angle);
  double term = 1, sum = 1;
  if (n % 2 == 0) {
    for (int64_t k = 2; k <= n - 2; k += 2) {
      term *= cosine * cosine * static_cast<double>(k - 1) / static_cast<double>(k);
      sum += term;
    }
    return sine * sum;
  }
  for (int64_t k = 3; k <= n - 2; k += 2) {
    term *= cosine * cosine * static_cast<double>(k - 1) / static_cast<double>(k);
    sum += term;
  }
  return 2 / std::numbers::pi * (angle + (n == 1 ? 0 : sine * cosine * sum));
}

}  // namespace

double student_t(int64_t degrees_of_freedom, double level) {
  TORCH_CHECK(degrees_of_freedom >= 1 && level > 0 && level < 1);
  double low = 0, high = std::numbers::pi / 2;
  for (;;) {
    const double middle = low + (high - low) / 2;
    if (middle <= low || middle >= high) break;
    (share_within(degrees_of_freedom, middle) < level ? low : high) = middle;
  }
  return std::sqrt(static_cast<double>(degrees_of_freedom)) * std::tan(low);
}

std::optional<Interval> interval_of_mean(std::span<const double> values) {
  if (values.size() < 2) return std::nullopt;
  const auto [mean, deviation, count] = mean_and_deviation(values);
  const double half = student_t(count - 1, 0.95) * *deviation / std::sqrt(static_cast<double>(count));
  return Interval{mean - half, mean + half};
}

std::optional<Interval> interval_over_questions(const std::vector<QuestionScores>& ours,
                                                const std::vector<QuestionScores>& theirs) {
  TORCH_CHECK(ours.size() == theirs.size());
  std::map<std::string, Sums> differences;
  for (size_t pair = 0; pair < ours.size(); ++pair) {
    for (const auto& [id, score] : ours[pair]) {
      const auto other = theirs[pair].find(id);
      if (other == theirs[pair].end()) continue;
      auto& sums = differences[id];
      sums.sum += score - other->second;
      sums.count += 1;
    }
  }
  if (differences.empty()) return std::nullopt;
  std::vector<Unit> units;
  for (const auto& [id, sums] : differences) units.push_back({{{0, sums.mean(), 1}}});
  return bootstrap_interval(units, 1, [](std::span<const Sums> parts) { return parts[0].mean(); });
}

}  // namespace vlsi
