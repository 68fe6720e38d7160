// One request on its way to its answer: its branches (one, or one a beam), and what its next tokens are.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <span>
#include <vector>

#include "base/random.h"
#include "generate/answer_text.h"
#include "generate/beam_search.h"
#include "generate/cache_blocks.h"
#include "generate/engine.h"

namespace vlsi {

/// A sequence of tokens, of which the first ones' keys and values are in the cache.
struct Branch {
  std::vector<int32_t> tokens;      // prompt and answer
  std::vector<int32_t> blocks;      // of the cache
  int64_t num_known = 0;            // tokens whose keys and values are there
  std::vector<int32_t> draft = {};  // to follow the tokens, perhaps; the last pass has computed them, too
};

class Answering {
 public:
  /// `max_new_tokens`: the request's, or what there is room for.
  Answering(Request request, int64_t max_new_tokens, const Tokenizer& tokenizer);

  const Request& request() const { return request_; }
  const Sample& prompt() const { return request_.prompt; }
  std::vector<Branch>& branches() { return branches_; }
  int64_t num_beams() const { return request_.decoding.num_beams; }
  /// Whether tokens of the prompt are still to be computed; with them, after a preemption, those of the answer so far.
  bool is_reading() const { return is_reading_; }
  /// The prompt is known.
  void end_reading();

  /// What the tower and the projector make of the prompt's pictures; kept while the prompt is read.
  const PictureRows& picture_rows(const Vlm& model, PictureFeatures* pictures);

  /// Position of a branch's token on an axis.
  int64_t position_of(int64_t axis, int64_t token) const;
  /// The keys of the first `count` blocks of the only branch, all of them full.
  const std::vector<BlockKey>& keys_of(int64_t count);

  /// The next token from its logits [V] or, without rules, the most likely one. Needs the logits: takes_logits().
  bool takes_logits() const { return takes_logits_; }
  int32_t choose(std::span<float> logits);
  /// Whether the settings change logits, and the likeliest token behind the branch's draft where they do.
  bool has_rules() const { return has_rules_; }
  int32_t expect(const at::Tensor& logits) const;
  /// Appends a token to the only branch. False when the answer has ended.
  bool append(int32_t token);
  /// Extends the beams by log-probabilities [K x V] before the logit rules; `parents` afterwards says which branch each
  /// goes on from. False when the search has ended.
  bool advance_beams(std::span<float> log_probs, int64_t vocab_size);
  const std::vector<int64_t>& parents() const { return search_->parents(); }
  const std::vector<int32_t>& beam(size_t index) const { return search_->beams()[index]; }

  /// Tokens that the answer may still have.
  int64_t num_left() const { return max_new_tokens_ - std::ssize(reply_.tokens); }
  DraftCounts& counts() { return reply_.counts; }

  /// Keys of blocks that this job is about to fill, in their order.
  std::deque<BlockKey>& announced() { return announced_; }

  /// Back to the prompt and, without beams, the answer so far; its blocks are released already.
  void restart();
  /// Asks the client whether it still waits, with new text if there is any.
  bool tell(std::string_view text = {});
  void set_cached_tokens(int64_t count) { reply_.num_cached_tokens = count; }
  /// Gives the reply away.
  void finish();

 private:
  void note_logprobs(std::span<const float> logits, int32_t token);

  Request request_;
  std::optional<PictureRows> picture_rows_;
  const int64_t num_prompt_, max_new_tokens_;
  const bool has_rules_, takes_logits_;
  bool is_reading_ = true, is_cancelled_ = false;
  std::vector<Branch> branches_;
  std::vector<uint64_t> picture_marks_;  // [prompt tokens], which row of which picture stands there; 0 for text
  std::vector<BlockKey> keys_;
  std::deque<BlockKey> announced_;
  Random random_;
  AnswerText text_;
  std::optional<BeamSearch> search_;
  std::optional<TokenLogprob> logprob_;  // of the token chosen last
  Reply reply_;
};

}  // namespace vlsi
