// Which teacher layer each student layer follows: the paper's Algorithm 1, and the variants it is compared with.
// (S student layers, L teacher layers, both counted from 0)
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/random.h"
#include "base/table.h"

namespace vlsi {

struct Match {
  int64_t student, teacher;
  double weight;  // of the pair's loss in the sum; one, where a student layer has one match
};

struct MatchingConfig;

/// A way to choose. `match` is match_layers for it, of sizes that were checked.
struct MatchingRule {
  std::string name, meaning;
  std::vector<Match> (*match)(std::span<const double> kl, int64_t num_student, int64_t num_teacher,
                              const MatchingConfig& config, Random& random);
  int64_t draws_per_layer = 0;    // numbers taken from `random` for each student layer, whatever the losses are
  bool weighs_all_pairs = false;  // no pair is chosen: the weights of all of them are what there is to log
};

/// Algorithm 1 first.
Table<MatchingRule>& matching_rules();
using ChosenRule = Choice<MatchingRule, matching_rules>;

/// Of the softmax over a draw's candidates.
struct Temperature {
  double value = 0;  // 0 is adaptive: half the spread of the candidates' KL

  /// "adaptive", or a number above 0; empty for anything else.
  static std::optional<Temperature> parse(const std::string& text);
  static std::string expected() { return "adaptive or a number above 0"; }
  std::string text() const;
};

/// The defaults are Algorithm 1.
struct MatchingConfig {
  ChosenRule rule;
  bool search_range = true;        // leave a candidate for every later student layer
  bool order_preservation = true;  // a deeper student layer matches a deeper teacher layer
  Temperature temperature;
};

/// Matches from the matrix kl [S, L] of the pairs' losses (KL, or L2), row by row, 1 <= S <= L. In order of the student
/// layers; draws come from `random`.
std::vector<Match> match_layers(std::span<const double> kl, int64_t num_student, int64_t num_teacher,
                                const MatchingConfig& config, Random& random);

/// How many numbers match_layers draws for `num_student` layers, whatever the losses are.
int64_t num_draws(const MatchingConfig& config, int64_t num_student);

/// The probability that Algorithm 1's draws match student layer s with teacher layer j, for every pair: [S, L], row by
/// row; each row adds up to one. What a layer may match depends on the layers before it only through `start`, so the
/// distribution of `start` is carried from layer to layer:
///     w[s][j]      = sum over a of P_s(start = a) p(j | candidates from a)
///     P_s+1(j + 1) = w[s][j]               with order preservation; else start stays 0
/// `config.rule` is not looked at.
std::vector<double> pair_probabilities(std::span<const double> kl, int64_t num_student, int64_t num_teacher,
                                       const MatchingConfig& config);

/// Algorithm 1's sampling distribution over the candidates of one draw: softmax(-kl / T), T = (max - min + 1e-6) / 2
/// when adaptive.
std::vector<double> matching_probabilities(std::span<const double> kl, Temperature temperature);

}  // namespace vlsi
