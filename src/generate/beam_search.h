// Beam search with transformers' scores, ends and ties. (K beams, V vocabulary)
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "generate/decoding.h"

namespace vlsi {

/// The beams of one prompt. It keeps tokens and scores; whoever runs the model follows `parents`.
class BeamSearch {
 public:
  /// `max_new_tokens` as the context allows it; `decoding`'s other settings hold.
  BeamSearch(const Decoding& decoding, int64_t max_new_tokens);

  /// Extends the beams by one token. log_probs [K x V], or [1 x V] the first time, are those of each beam's next token,
  /// after the logit rules. False when the search has ended.
  bool advance(std::span<const float> log_probs, int64_t vocab_size);

  /// Of each beam that goes on, the beam before the last step that it extends, and its tokens so far.
  const std::vector<int64_t>& parents() const { return parents_; }
  const std::vector<std::vector<int32_t>>& beams() const { return tokens_; }

  /// The best answer, with its stop token, once the search has ended. It may end without any, as transformers' does
  /// where a score lies below that of no answer: then the best beam.
  const std::vector<int32_t>& best() const { return finished_.empty() ? tokens_.front() : finished_.front().tokens; }

 private:
  struct Hypothesis {
    std::vector<int32_t> tokens;
    double score = 0;  // sum of log-probabilities ÷ length ^ length_penalty
  };
  struct Continuation {
    float score;
    int64_t beam;
    int32_t token;
    bool ends;
  };
  std::vector<Continuation> best_continuations(std::span<const float> log_probs, int64_t vocab_size) const;
  void finish(const std::vector<Continuation>& continuations);
  bool may_improve() const;

  const Decoding& decoding_;
  const int64_t num_beams_, max_new_tokens_;
  int64_t length_ = 0;  // of the beams
  bool improves_ = true;
  std::vector<std::vector<int32_t>> tokens_;
  std::vector<float> scores_;
  std::vector<int64_t> parents_;
  std::vector<Hypothesis> finished_;  // at most K, the best first
};

}  // namespace vlsi
