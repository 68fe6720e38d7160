// How VLMEvalKit finds the option that a reply means, without a judge.
#pragma once

#include <optional>

#include "eval/scoring/options.h"

namespace vlsi {

/// Its rule changed: 2024 (the whole reply is searched for one letter), 2025-08 (the last four words; no text match in
/// long replies), 2026-06 (also "answer is X").
enum class Matcher { k2024, k2025August, k2026June };

/// can_infer: an option's label; "Z" for a refusal; nothing where the rule cannot tell.
std::optional<Text> match_option(TextView reply, const Options& options, Matcher matcher);

}  // namespace vlsi
