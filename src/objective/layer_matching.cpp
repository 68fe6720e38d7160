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

/// Matches each student layer, one after the other, with those that `choose` takes of (the layer, its candidates, their
/// losses), which share its weight.
template <class Choose>
std::vector<Match> match_each(std::span<const double> kl, int64_t num_student, int64_t num_teacher,
                              const MatchingConfig& config, const Choose& choose) {
  std::vector<Match> matches;
  int64_t start = 0;
  for (int64_t s = 0; s < num_student; ++s) {
    const auto range = candidates_of(s, start, num_student, num_teacher, config);
    const std::vector<int64_t> chosen = choose(s, range, range.of(kl, s, num_teacher));
    for (const int64_t j : chosen) matches.push_back({s, j, 1.0 / static_cast<double>(chosen.size())});
    // Where several are chosen, order is kept towards the shallowest of them, so that the range never empties early.
    if (config.order_preservation) start = *std::min_element(chosen.begin(), chosen.end()) + 1;
  }
  return matches;
}

std::vector<Match> match_multinomial(std::span<const double> kl, int64_t num_student, int64_t num_teacher,
                                     const MatchingConfig& config, Random& random) {
  return match_each(
      kl, num_student, num_teacher, config, [&](int64_t, Candidates range, std::span<const double> losses) {
        return std::vector{range.first + draw(matching_probabilities(losses, config.temperature), random)};
      });
}

std::vector<Match> match_expected(std::span<const double> kl, int64_t num_student, int64_t num_teacher,
                                  const MatchingConfig& config, Random&) {
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

template <int64_t kCount>
std::vector<Match> match_bottom(std::span<const double> kl, int64_t num_student, int64_t num_teacher,
                                const MatchingConfig& config, Random&) {
  return match_each(kl, num_student, num_teacher, config,
                    [](int64_t, Candidates range, std::span<const double> losses) {
                      auto chosen = smallest(losses, kCount);
                      for (auto& j : chosen) j += range.first;
                      return chosen;
                    });
}

std::vector<Match> match_uniform(std::span<const double> kl, int64_t num_student, int64_t num_teacher,
                                 const MatchingConfig& config, Random&) {
  const auto choose = [&](int64_t s, auto&&...) { return std::vector{s * (num_teacher / num_student)}; };
  return match_each(kl, num_student, num_teacher, config, choose);
}

std::vector<Match> match_random(std::span<const double> kl, int64_t num_student, int64_t num_teacher,
                                const MatchingConfig& config, Random& random) {
  return match_each(kl, num_student, num_teacher, config, [&](auto&&...) {
    return std::vector{static_cast<int64_t>(random.uniform() * static_cast<double>(num_teacher))};
  });
}

}  // namespace

Table<MatchingRule>& matching_rules() {
  static Table<MatchingRule> rules{
      {"multinomial", "drawn from softmax(-KL / T) over the candidates", match_multinomial, /*draws_per_layer=*/1},
      {"expected", "every pair, weighted by the probability that multinomial's draws match it", match_expected,
       /*draws_per_layer=*/0, /*weighs_all_pairs=*/true},
      {"bottom_1", "the candidate with the smallest KL", match_bottom<1>},
      {"bottom_3", "the mean of the three smallest", match_bottom<3>},
      {"uniform", "l = s * floor(L / S), of S student and L teacher layers", match_uniform},
      {"random", "any teacher layer, equally likely", match_random, /*draws_per_layer=*/1}};
  return rules;
}

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
  return config.rule->draws_per_layer * num_student;
}

std::vector<Match> match_layers(std::span<const double> kl, int64_t num_student, int64_t num_teacher,
                                const MatchingConfig& config, Random& random) {
  check_sizes(kl, num_student, num_teacher);
  return config.rule->match(kl, num_student, num_teacher, config, random);
}

}  // namespace vlsi
