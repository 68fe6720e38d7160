#include "generate/sampling.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <vector>

#include "generate/logit_rules.h"

namespace vlsi {
namespace {

/// exp(logits - max) and their sum.
double exponentials(std::span<const float> logits, std::vector<double>& values) {
  const float highest = *std::max_element(logits.begin(), logits.end());
  values.resize(logits.size());
  double total = 0;
  for (size_t i = 0; i < logits.size(); ++i) {
    values[i] = std::exp(static_cast<double>(logits[i]) - highest);
    total += values[i];
  }
  return total;
}

void divide(std::span<float> logits, double temperature) {
  const float divisor = std::max(static_cast<float>(temperature), std::numeric_limits<float>::min());
  const float highest = *std::max_element(logits.begin(), logits.end());
  // Differences alone count. Of logits that a small divisor makes infinite they are taken first: the highest is 0 then.
  const float base = std::isfinite(highest / divisor) ? 0 : highest;
  for (float& logit : logits) logit = (logit - base) / divisor;
}

/// Forbids those below the k-th highest, of which equals stay.
void keep_top_k(int64_t k, std::span<float> logits) {
  if (k >= std::ssize(logits)) return;
  std::vector<float> sorted(logits.begin(), logits.end());
  std::nth_element(sorted.begin(), sorted.begin() + (k - 1), sorted.end(), std::greater<>());
  const float least = sorted[static_cast<size_t>(k - 1)];
  for (float& logit : logits) {
    if (logit < least) logit = kNever;
  }
}

/// The fewest of the likeliest tokens whose probabilities add up to more than `p` stay.
void keep_top_p(double p, std::span<float> logits) {
  std::vector<double> values;
  const double total = exponentials(logits, values);
  std::vector<int32_t> order(logits.size());
  std::iota(order.begin(), order.end(), 0);
  std::erase_if(order, [&](int32_t token) { return logits[token] == kNever; });
  std::stable_sort(order.begin(), order.end(), [&](int32_t a, int32_t b) { return logits[a] > logits[b]; });
  double sum = 0;
  for (const int32_t token : order) {
    if (sum >= p * total && sum > 0) logits[token] = kNever;
    sum += values[token];
  }
}

void keep_min_p(double min_p, std::span<float> logits) {
  const float highest = *std::max_element(logits.begin(), logits.end());
  const auto least = static_cast<float>(highest + std::log(min_p));
  for (float& logit : logits) {
    if (logit < least) logit = kNever;
  }
}

}  // namespace

void warp_logits(const Decoding& decoding, std::span<float> logits) {
  if (decoding.temperature != 1) divide(logits, decoding.temperature);
  if (decoding.top_k > 0) keep_top_k(decoding.top_k, logits);
  if (decoding.top_p < 1) keep_top_p(decoding.top_p, logits);
  if (decoding.min_p > 0) keep_min_p(decoding.min_p, logits);
}

int32_t draw_token(std::span<const float> logits, Random& random) {
  std::vector<double> values;
  const double wanted = random.uniform() * exponentials(logits, values);
  double sum = 0;
  int32_t last = 0;
  for (size_t i = 0; i < values.size(); ++i) {
    if (values[i] == 0) continue;
    last = static_cast<int32_t>(i);
    sum += values[i];
    if (sum > wanted) break;
  }
  return last;
}

}  // namespace vlsi
