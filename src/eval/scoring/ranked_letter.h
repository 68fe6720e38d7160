// lmms-eval's rules for a letter that may stand in many forms.
#pragma once

#include <optional>
#include <string_view>

#include "eval/scoring/options.h"

namespace vlsi {

/// extract_mcq_answer (MMStar, RealWorldQA, MMBench without a judge): of all forms found, the one that ranks highest;
/// among equals the last. `letters`: the options' capital letters.
std::optional<Text> ranked_letter(TextView reply, TextView letters);

/// can_infer of MMBench: one letter among the words, else one in a form such as "(A)." or ":A", else one option's text.
std::optional<Text> mmbench_letter(TextView reply, const Options& options);

}  // namespace vlsi
