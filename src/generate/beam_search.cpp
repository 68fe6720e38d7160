#include "generate/beam_search.h"

#include <algorithm>
#include <cmath>

namespace vlsi {

BeamSearch::BeamSearch(const Decoding& decoding, int64_t max_new_tokens)
    : decoding_(decoding),
      num_beams_(decoding.num_beams),
      max_new_tokens_(max_new_tokens),
      tokens_(1),
      scores_{0.0F},
      parents_{0} {}

std::vector<BeamSearch::Continuation> BeamSearch::best_continuations(std::span<const float> log_probs,
                                                                     int64_t vocab_size) const {
  // Enough that K of them go on, whichever end.
  const auto num_stop_tokens = std::ssize(decoding_.stop_tokens);
  const int64_t wanted = std::max<int64_t>(2, 1 + num_stop_tokens) * num_beams_;
  const auto better = [](const Continuation& a, const Continuation& b) {
    if (a.score != b.score) return a.score > b.score;
    return a.beam != b.beam ? a.beam < b.beam : a.token < b.token;
  };
  std::vector<Continuation> all;  // a heap, the worst in front
  for (size_t i = 0; i < log_probs.size(); ++i) {
    const auto beam = static_cast<int64_t>(i) / vocab_size;
    const float score = log_probs[i] + scores_[beam];
    if (std::ssize(all) == wanted) {
      if (score <= all.front().score) continue;  // of equals the one before stays
      std::pop_heap(all.begin(), all.end(), better);
      all.pop_back();
    }
    all.push_back({score, beam, static_cast<int32_t>(static_cast<int64_t>(i) % vocab_size), false});
    std::push_heap(all.begin(), all.end(), better);
  }
  std::sort_heap(all.begin(), all.end(), better);
  const bool is_last = length_ + 1 >= max_new_tokens_;
  for (auto& continuation : all) {
    continuation.ends = is_last || decoding_.stops_at(continuation.token);
  }
  return all;
}

/// Of the K best continuations those that end are answers now, unless the search takes no more.
void BeamSearch::finish(const std::vector<Continuation>& continuations) {
  const bool is_full = std::ssize(finished_) == num_beams_;
  if ((is_full && decoding_.early_stopping == EarlyStopping::kFirstFinished) || !improves_) return;
  const double divisor = std::pow(static_cast<double>(length_ + 1), decoding_.length_penalty);
  for (int64_t i = 0; i < std::min(num_beams_, std::ssize(continuations)); ++i) {
    const auto& continuation = continuations[i];
    if (!continuation.ends) continue;
    auto tokens = tokens_[continuation.beam];
    tokens.push_back(continuation.token);
    finished_.push_back({std::move(tokens), continuation.score / divisor});
  }
  std::stable_sort(finished_.begin(), finished_.end(),
                   [](const Hypothesis& a, const Hypothesis& b) { return a.score > b.score; });
  if (std::ssize(finished_) > num_beams_) finished_.resize(static_cast<size_t>(num_beams_));
}

/// Whether the best beam can still come before the worst answer. transformers compares sums over so many tokens as
/// there are, or as there can be at most.
bool BeamSearch::may_improve() const {
  const bool longest = decoding_.early_stopping == EarlyStopping::kNever && decoding_.length_penalty > 0;
  const auto length = static_cast<double>(longest ? max_new_tokens_ : length_);
  const double best = scores_.front() / std::pow(length, decoding_.length_penalty);
  // Places without an answer count as far below every score.
  constexpr double kNoAnswer = -1e9;
  const double worst = std::ssize(finished_) == num_beams_ ? finished_.back().score : kNoAnswer;
  return best > worst;
}

bool BeamSearch::advance(std::span<const float> log_probs, int64_t vocab_size) {
  const auto continuations = best_continuations(log_probs, vocab_size);
  std::vector<std::vector<int32_t>> tokens;
  std::vector<float> scores;
  std::vector<int64_t> parents;
  for (const auto& continuation : continuations) {
    if (continuation.ends || std::ssize(tokens) == num_beams_) continue;
    tokens.push_back(tokens_[continuation.beam]);
    tokens.back().push_back(continuation.token);
    scores.push_back(continuation.score);
    parents.push_back(continuation.beam);
  }
  finish(continuations);
  const bool all_end = tokens.empty();
  ++length_;
  if (all_end) return false;
  tokens_ = std::move(tokens);
  scores_ = std::move(scores);
  parents_ = std::move(parents);
  improves_ = improves_ && may_improve();
  const bool is_full = std::ssize(finished_) == num_beams_;
  return improves_ && !(is_full && decoding_.early_stopping == EarlyStopping::kFirstFinished);
}

}  // namespace vlsi
