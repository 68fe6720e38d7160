// Answers in the form of OpenAI's interface, whole and in pieces.
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "generate/engine.h"

namespace vlsi {

/// What every piece of one answer begins with.
struct AnswerHead {
  std::string id, model;
  int64_t created = 0;  // seconds since 1970
  bool is_chat = true;  // otherwise of /v1/completions
  bool has_logprobs = false;
};

/// "chatcmpl-" or "cmpl-", with random digits behind it.
AnswerHead new_answer_head(const std::string& model, bool is_chat, bool has_logprobs);

/// How many tokens were read and made.
struct Usage {
  int64_t prompt_tokens = 0, cached_tokens = 0, image_tokens = 0, answer_tokens = 0;
  DraftCounts counts = {};
};
/// Of answers to prompts, of which each has `num_answers` in a row: a prompt counts once.
Usage usage_of(const std::vector<Reply>& replies, int64_t num_answers);

/// The log-probabilities of one answer's tokens in the form of the head's interface, in one piece or several.
class LogprobPieces {
 public:
  LogprobPieces(const AnswerHead& head, const Tokenizer& tokenizer)
      : has_logprobs_(head.has_logprobs), is_chat_(head.is_chat), tokenizer_(tokenizer), text_(tokenizer) {}

  /// Of the answer's next tokens, which came with its next `text`; null where the head has none. Their places are in
  /// the text so far: of tokens that are held back, which a stop text may take from it, at its end.
  OrderedJson next(std::span<const TokenLogprob> items, std::string_view text);
  /// Of those of the whole answer that are left. What a stop text took from its text has its place at the text's end.
  OrderedJson rest(const Reply& reply);

 private:
  OrderedJson take(std::span<const TokenLogprob> items, size_t longest);
  OrderedJson of_completion(std::span<const TokenLogprob> items, size_t longest);

  bool has_logprobs_, is_chat_;
  const Tokenizer& tokenizer_;
  TextStream text_;
  size_t num_tokens_ = 0, offset_ = 0;  // of the pieces so far; code points of their tokens' text
  size_t sent_ = 0;                     // code points of the texts that they came with
};

/// The whole answer.
OrderedJson whole_answer(const AnswerHead& head, const Tokenizer& tokenizer, const std::vector<Reply>& replies,
                         int64_t num_answers);

/// Server-sent events of an answer in pieces: for each choice a beginning (of a chat alone), texts, and its end; then
/// the usage where it is wanted, and kStreamEnd.
class AnswerStream {
 public:
  AnswerStream(AnswerHead head, const Tokenizer& tokenizer, bool with_usage)
      : head_(std::move(head)), tokenizer_(tokenizer), with_usage_(with_usage) {}

  std::string begin(int64_t choice) const;
  /// `logprobs`: of the tokens since the choice's last text.
  std::string text(int64_t choice, std::string_view text, std::span<const TokenLogprob> logprobs = {});
  /// With the log-probabilities that came with no text, where the head has them.
  std::string end(int64_t choice, const Reply& reply);
  std::string usage(const Usage& usage) const;

 private:
  std::string event(OrderedJson choices) const;
  LogprobPieces& logprobs_of(int64_t choice);

  AnswerHead head_;
  const Tokenizer& tokenizer_;
  bool with_usage_;
  std::map<int64_t, LogprobPieces> logprobs_;  // by the choice
};

/// A server-sent event with one line of data.
std::string sse_event(const std::string& data);
inline constexpr std::string_view kStreamEnd = "data: [DONE]\n\n";

}  // namespace vlsi
