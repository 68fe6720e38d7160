#include "generate/logit_rules.h"

#include <algorithm>
#include <unordered_map>
#include <unordered_set>

namespace vlsi {
namespace {

/// An id of a padding row, or one that the head does not have, has no logit.
void forbid(std::span<float> logits, int64_t token) {
  if (token >= 0 && token < std::ssize(logits)) logits[token] = kNever;
}

void punish_repetition(double penalty, std::span<const int32_t> tokens, std::span<float> logits) {
  const auto factor = static_cast<float>(penalty);
  for (const int32_t token : std::unordered_set<int32_t>(tokens.begin(), tokens.end())) {
    if (token >= std::ssize(logits)) continue;
    auto& logit = logits[token];
    logit = logit < 0 ? logit * factor : logit / factor;
  }
}

void punish_use(double presence, double frequency, std::span<const int32_t> answer, std::span<float> logits) {
  std::unordered_map<int32_t, int64_t> counts;
  for (const int32_t token : answer) ++counts[token];
  for (const auto& [token, count] : counts) {
    logits[token] -= static_cast<float>(presence + frequency * static_cast<double>(count));
  }
}

void forbid_repeated_ngrams(int64_t size, std::span<const int32_t> tokens, std::span<float> logits) {
  const int64_t length = std::ssize(tokens);
  if (length < size) return;
  const auto suffix = tokens.last(size - 1);
  for (int64_t first = 0; first + size <= length; ++first) {
    if (std::equal(suffix.begin(), suffix.end(), tokens.begin() + first)) forbid(logits, tokens[first + size - 1]);
  }
}

/// The last token of each word whose first ones have just been generated. A word that is a stop token is none.
void forbid_words(const Decoding& decoding, std::span<const int32_t> tokens, std::span<float> logits) {
  for (const auto& word : decoding.bad_words_ids) {
    const auto length = word.size() - 1;
    if (length == 0 && decoding.stops_at(word.front())) continue;
    if (word.size() > 1 && word.size() > tokens.size()) continue;
    if (std::equal(word.begin(), word.end() - 1, tokens.end() - static_cast<int64_t>(length))) {
      forbid(logits, word.back());
    }
  }
}

}  // namespace

bool has_logit_rules(const Decoding& decoding) {
  return decoding.repetition_penalty != 1 || decoding.presence_penalty != 0 || decoding.frequency_penalty != 0 ||
         decoding.no_repeat_ngram_size > 0 || !decoding.bad_words_ids.empty() || decoding.min_new_tokens > 0 ||
         !decoding.suppress_tokens.empty();
}

void apply_logit_rules(const Decoding& decoding, std::span<const int32_t> tokens, int64_t num_prompt,
                       std::span<float> logits) {
  const auto answer = tokens.subspan(num_prompt);
  if (decoding.repetition_penalty != 1) punish_repetition(decoding.repetition_penalty, tokens, logits);
  if (decoding.presence_penalty != 0 || decoding.frequency_penalty != 0) {
    punish_use(decoding.presence_penalty, decoding.frequency_penalty, answer, logits);
  }
  if (decoding.no_repeat_ngram_size > 0) forbid_repeated_ngrams(decoding.no_repeat_ngram_size, tokens, logits);
  forbid_words(decoding, tokens, logits);
  if (std::ssize(answer) < decoding.min_new_tokens) {
    for (const int64_t token : decoding.stop_tokens) forbid(logits, token);
  }
  for (const int64_t token : decoding.suppress_tokens) forbid(logits, token);
}

}  // namespace vlsi
