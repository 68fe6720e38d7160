// What a request's settings do to the logits of its next token. (V vocabulary)
#pragma once

#include <cstdint>
#include <limits>
#include <span>

#include "generate/decoding.h"

namespace vlsi {

/// The logit of a token that is never chosen.
inline constexpr float kNever = -std::numeric_limits<float>::infinity();

/// Whether any rule of `decoding` can change a logit; where none can, the rows need not be looked at one by one.
bool has_logit_rules(const Decoding& decoding);

/// Applies repetition, presence and frequency penalties, no_repeat_ngram_size, bad_words_ids, min_new_tokens and
/// suppress_tokens, as transformers' logits processors do and in their order; OpenAI's two penalties follow the first.
/// logits [V] of the token behind `tokens`, of which the first `num_prompt` are the prompt.
void apply_logit_rules(const Decoding& decoding, std::span<const int32_t> tokens, int64_t num_prompt,
                       std::span<float> logits);

}  // namespace vlsi
