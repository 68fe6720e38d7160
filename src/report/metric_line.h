// One line of metrics.jsonl, taken apart.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "report/match_history.h"

namespace vlsi {

/// A number that was measured, or the gap that a null or NaN leaves.
using Measured = std::optional<double>;

struct MetricLine {
  std::string step;
  int64_t iteration = 0;
  std::vector<std::pair<std::string, Measured>> numbers;             // every other number, by key
  std::vector<std::pair<std::string, std::vector<Measured>>> lists;  // every other list of numbers
  std::vector<Measured> match_losses;  // `kl` or `l2` of each match; empty where there is not one number a match
  MatchHistory::Entry matching;        // `matches`, `match_weights`, and `kl_matrix` or `l2_matrix`

  /// Whether there is a number of this name, null included.
  bool has(std::string_view key) const;
  /// The number of that key; none when it is absent or a gap.
  Measured number(std::string_view key) const;
};

/// Parses lines one after the other with the same memory.
class MetricLineParser {
 public:
  MetricLineParser();
  ~MetricLineParser();

  /// Nothing for a line that is no JSON object with a step and an iteration; `problem` then says why. NaN and Infinity,
  /// which JSON does not have but some writers use, are read as gaps. Fields of another shape than their key has are
  /// left out, and `problem` names the first.
  std::optional<MetricLine> parse(std::string_view line, std::string& problem);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace vlsi
