// The shorter rules for the letter in a reply, one function each.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "text/python/python_text.h"

namespace vlsi {

/// CV-Bench by lmms-eval, and BLINK before its version 0.7.3: the first letter behind brackets and spaces, which is
/// that of any word.
std::optional<Text> leading_letter(TextView reply);

/// BLINK by lmms-eval 0.7.3: a short first line, the last "answer is X", the last "(X)", then as leading_letter; of the
/// first `num_options` letters (26 for 0).
std::optional<Text> blink_letter(TextView reply, size_t num_options);

/// BLINK by its authors, who first ask a judge about whatever is no option in brackets: "(X)" or nothing.
std::optional<Text> blink_option(TextView reply, size_t num_options);

/// BLINK by the evaluator of the method's authors: the first character in brackets, or the whole reply.
Text bracketed_or_whole(TextView reply);

/// CV-Bench by its authors: the first character of what follows the last "answer is" or "answer:", in lower case;
/// empty for an empty reply.
Text after_answer_is(TextView reply);

/// SEED-Bench-2-Plus by lmms-eval: the first character, case-blind.
bool first_character_is(TextView reply, TextView gold);

/// MMStar by its authors: a letter first, after a bracket, after "option " or after "the answer is "; case-blind.
bool mmstar_right(TextView reply, TextView gold);

/// AI2D by lmms-eval: a letter before a point at the start, else the whole reply, equals the gold but for case and
/// ASCII punctuation.
bool ai2d_right(TextView reply, TextView gold);

/// Q-Bench and ScienceQA by the evaluator of the method's authors: the number of the option, or -1.
int64_t convert_to_choice(TextView reply, size_t num_options);

/// AI2D by the evaluator of the method's authors: the first capital letter anywhere.
std::optional<Text> first_capital(TextView reply);

/// ScienceQA by lmms-eval: the letter alone, or before a point at the start.
bool scienceqa_right(TextView reply, TextView gold);

}  // namespace vlsi
