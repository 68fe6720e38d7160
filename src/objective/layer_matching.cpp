#include "objective/layer_matching.h"

#include <c10/util/Exception.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "base/number_text.h"

namespace vlsi {
namespace {

int64_t draw(const std::vector<double>& probabilities, Random& random) {
  double left = random.uniform();
  for (size_t j = 0; j + 1 < probabilities.size(); ++j) {
    left -= probabilities[j];
    if (left < 0) return static_cast<int64_t>(j);
  }
  return static_cast<int64_t>(probabilities.size()) - 1;
}

/// The indices of the `count` smallest values, the earlier one first among equals.
std::vector<int64_t> smallest(std::span<const double> values, int64_t count) {
  std::vector<int64_t> order(values.size());
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(), [&](int64_t a, int64_t b) { return values[a] < values[b]; });
  order.resize(std::min<size_t>(order.size(), count));
  return order;
}

/// A student layer's candidates: the teacher layers first..last.
struct Candidates {
  int64_t first, last;

  std::span<const double> of(std::span<const double> kl, int64_t s, int64_t num_teacher) const {
    return kl.subspan(s * num_teacher + first, last - first + 1);
  }
};

Candidates candidates_of(int64_t s, int64_t start, int64_t num_student, int64_t num_teacher,
                         const MatchingConfig& config) {
  const int64_t last = config.search_range ? num_teacher - num_student + s : num_teacher - 1;
  // Without the search range, order preservation may have used up the deepest layer: it then stays the only candidate.
  return {std::min(start, last), last};
}

void check_sizes(std::span<const double> kl, int64_t num_student, int64_t num_teacher) {
  TORCH_CHECK(1 <= num_student && num_student <= num_teacher, num_student, " student layers for ", num_teacher);
  TORCH_CHECK(static_cast<int64_t>(kl.size()) == num_student * num_teacher, "the KL matrix has ", kl.size(),
              " entries");
}

std::vector<Match> expected_matches(std::span<const double> kl, int64_t num_student, int64_t num_teacher,
                                    const MatchingConfig& config) {
  const auto weights = pair_probabilities(kl, num_student, num_teacher, config);
  std::vector<Match> matches;
  for (int64_t s = 0; s < num_student; ++s) {
    for (int64_t j = 0; j < num_teacher; ++j) {
      const double weight = weights[s * num_teacher + j];
      if (weight > 0) matches.push_back({s, j, weight});
    }
  }
  return matches;
}

}  // namespace

std::optional<Temperature> Temperature::parse(const std::string& text) {
  if (text == "adaptive") return Temperature{};
  const auto value = parse_number(text);
  if (!value || *value <= 0) return std::nullopt;
  return Temperature{*value};
}

std::string Temperature::text() const { return value == 0 ? "adaptive" : number_text(value); }

std::vector<double> matching_probabilities(std::span<const double> kl, Temperature temperature) {
  const auto [low, high] = std::minmax_element(kl.begin(), kl.end());
  const double t = temperature.value > 0 ? temperature.value : (*high - *low + 1e-6) / 2;
  std::vector<double> probabilities;
  for (const double value : kl) probabilities.push_back(std::exp((*low - value) / t));
  const double sum = std::accumulate(probabilities.begin(), probabilities.end(), 0.0);
  for (double& p : probabilities) p /= sum;
  return probabilities;
}

std::vector<double> pair_probabilities(std::span<const double> kl, int64_t num_student, int64_t num_teacher,
                                       const MatchingConfig& config) {
  check_sizes(kl, num_student, num_teacher);
  std::vector<double> weights(kl.size(), 0.0);
  std::vector<double> start_probabilities(num_teacher + 1, 0.0);  // of start = 0..L
  start_probabilities[0] = 1;
  for (int64_t s = 0; s < num_student; ++s) {
    double* const row = weights.data() + s * num_teacher;
    for (int64_t start = 0; start <= num_teacher; ++start) {
      if (start_probabilities[start] == 0) continue;
      const auto range = candidates_of(s, start, num_student, num_teacher, config);
      const auto p = matching_probabilities(range.of(kl, s, num_teacher), config.temperature);
      for (int64_t j = 0; j < std::ssize(p); ++j) row[range.first + j] += start_probabilities[start] * p[j];
    }
    if (!config.order_preservation) continue;
    start_probabilities[0] = 0;
    std::copy(row, row + num_teacher, start_probabilities.begin() + 1);
  }
  return weights;
}

int64_t num_draws(const MatchingConfig& config, int64_t num_student) {
  return config.rule == MatchingRule::kMultinomial || config.rule == MatchingRule::kRandom ? num_student : 0;
}

std::vector<Match> match_layers(std::span<const double> kl, int64_t num_student, int64_t num_teacher,
                                const MatchingConfig& config, Random& random) {
  check_sizes(kl, num_student, num_teacher);
  if (config.rule == MatchingRule::kExpected) return expected_matches(kl, num_student, num_teacher, config);

  std::vector<Match> matches;
  int64_t start = 0;
  for (int64_t s = 0; s < num_student; ++s) {
    const auto range = candidates_of(s, start, num_student, num_teacher, config);
    const int64_t first = range.first;
    const auto candidates = range.of(kl, s, num_teacher);

    std::vector<int64_t> chosen;
    switch (config.rule) {
      case MatchingRule::kMultinomial:
        chosen = {first + draw(matching_probabilities(candidates, config.temperature), random)};
        break;
      case MatchingRule::kBottom1: chosen = {first + smallest(candidates, 1).front()}; break;
      case MatchingRule::kBottom3:
        for (const int64_t j : smallest(candidates, 3)) chosen.push_back(first + j);
        break;
      case MatchingRule::kUniform: chosen = {s * (num_teacher / num_student)}; break;
      case MatchingRule::kRandom:
        chosen = {static_cast<int64_t>(random.uniform() * static_cast<double>(num_teacher))};
        break;
      case MatchingRule::kExpected: break;  // chooses no layer, and has returned above
    }
    for (const int64_t j : chosen) matches.push_back({s, j, 1.0 / static_cast<double>(chosen.size())});
    // Where several are chosen, order is kept towards the shallowest of them, so that the range never empties early.
    if (config.order_preservation) start = *std::min_element(chosen.begin(), chosen.end()) + 1;
  }
  return matches;
}

}  // namespace vlsi
