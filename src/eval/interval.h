// 95 % intervals of scores by the bootstrap.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

namespace vlsi {

/// What adds up in one part of a score, such as one task.
struct Sums {
  double sum = 0, count = 0;
  double mean() const { return count == 0 ? 0 : sum / count; }
};

/// One thing that is drawn as a whole (a question, a picture with its questions, a circular group): what it adds to
/// which of the parts.
struct Unit {
  struct Term {
    int32_t part;
    double sum, count;
    auto operator<=>(const Term&) const = default;
  };
  std::vector<Term> terms;
};

/// A score as a function of its parts.
using ScoreOfParts = std::function<double(std::span<const Sums>)>;

/// The score of all units.
double total_score(std::span<const Unit> units, size_t num_parts, const ScoreOfParts& score);

struct Interval {
  double low, high;
};

/// The 2.5th and 97.5th percentile of the score over 1,000 samples of as many units, drawn with replacement and a fixed
/// seed. Units that add the same are counted, and their numbers drawn at once, so that a million cost no more than
/// their kinds. With fewer than two units both are the score.
Interval bootstrap_interval(std::span<const Unit> units, size_t num_parts, const ScoreOfParts& score);

}  // namespace vlsi
