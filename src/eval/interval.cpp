#include "eval/interval.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <random>

namespace vlsi {
namespace {

constexpr int kSamples = 1000;
constexpr uint64_t kSeed = 20260101;

struct Kind {
  const Unit* unit;
  int64_t count;
};

std::vector<Kind> kinds_of(std::span<const Unit> units) {
  std::map<std::vector<Unit::Term>, Kind> kinds;
  for (const auto& unit : units) ++kinds.try_emplace(unit.terms, Kind{&unit, 0}).first->second.count;
  std::vector<Kind> all;
  for (const auto& [terms, kind] : kinds) all.push_back(kind);
  return all;
}

void add(const Unit& unit, double times, std::vector<Sums>& parts) {
  for (const auto& term : unit.terms) {
    parts[term.part].sum += times * term.sum;
    parts[term.part].count += times * term.count;
  }
}

/// How often each kind is among `total` units drawn with replacement: a binomial number of what is left for each.
double draw_score(const std::vector<Kind>& kinds, int64_t total, std::vector<Sums>& parts, const ScoreOfParts& score,
                  std::mt19937_64& random) {
  std::fill(parts.begin(), parts.end(), Sums{});
  int64_t units_left = total, draws_left = total;
  for (const auto& kind : kinds) {
    if (draws_left == 0) break;
    const double chance = static_cast<double>(kind.count) / static_cast<double>(units_left);
    const int64_t times =
        kind.count == units_left ? draws_left : std::binomial_distribution<int64_t>(draws_left, chance)(random);
    if (times > 0) add(*kind.unit, static_cast<double>(times), parts);
    units_left -= kind.count;
    draws_left -= times;
  }
  return score(parts);
}

/// Between the two nearest of the sorted values.
double percentile(const std::vector<double>& sorted, double share) {
  const double place = share * static_cast<double>(sorted.size() - 1);
  const auto below = static_cast<size_t>(place);
  const size_t above = std::min(below + 1, sorted.size() - 1);
  return std::lerp(sorted[below], sorted[above], place - static_cast<double>(below));
}

}  // namespace

double total_score(std::span<const Unit> units, size_t num_parts, const ScoreOfParts& score) {
  std::vector<Sums> parts(num_parts);
  for (const auto& unit : units) add(unit, 1, parts);
  return score(parts);
}

Interval bootstrap_interval(std::span<const Unit> units, size_t num_parts, const ScoreOfParts& score) {
  if (units.size() < 2) {
    const double only = total_score(units, num_parts, score);
    return {only, only};
  }
  const auto kinds = kinds_of(units);
  std::mt19937_64 random(kSeed);
  std::vector<Sums> parts(num_parts);
  std::vector<double> scores(kSamples);
  for (double& one : scores) one = draw_score(kinds, std::ssize(units), parts, score, random);
  std::sort(scores.begin(), scores.end());
  return {percentile(scores, 0.025), percentile(scores, 0.975)};
}

}  // namespace vlsi
