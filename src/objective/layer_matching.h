// Which teacher layer each student layer follows: the paper's Algorithm 1, and the variants it is compared with.
// (S student layers, L teacher layers, both counted from 0)
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "base/random.h"

namespace vlsi {

enum class MatchingRule {
  kMultinomial,  // drawn from softmax(-KL / T) over the candidates
  kBottom1,      // the candidate with the smallest KL
  kBottom3,      // the mean of the three smallest
  kUniform,      // l = s · floor(L / S)
  kRandom,       // any teacher layer, equally likely
};

/// The defaults are Algorithm 1.
struct MatchingConfig {
  MatchingRule rule = MatchingRule::kMultinomial;
  bool search_range = true;        // leave a candidate for every later student layer
  bool order_preservation = true;  // a deeper student layer matches a deeper teacher layer
  double temperature = 0;          // of the softmax; 0 is adaptive: half the spread of the candidates' KL
};

struct Match {
  int64_t student, teacher;
  double weight;  // of the pair's KL in the loss; one, but for kBottom3
};

/// Matches from the KL matrix kl [S, L], row by row, 1 <= S <= L. In order of the student layers; draws come from `random`.
std::vector<Match> match_layers(std::span<const double> kl, int64_t num_student, int64_t num_teacher,
                                const MatchingConfig& config, Random& random);

/// Algorithm 1's sampling distribution over the candidates: softmax(-kl / T), T = (max - min + 1e-6) / 2 when adaptive.
std::vector<double> matching_probabilities(std::span<const double> kl, double temperature);

}  // namespace vlsi
