// MathVista: the answer in a reply, its normal form, and whether it is right.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "eval/scoring/options.h"

namespace vlsi {

struct MathVistaQuestion {
  bool multiple_choice = false;
  Text answer_type;  // "text", "integer", "float" or "list"
  std::vector<Text> choices;
  std::optional<double> precision;  // decimals of a float
  bool precision_is_whole = true;   // as the file has it: 1, not 1.0
  Text answer;
  Text answer_letter;  // of multiple choice: VLMEvalKit's column answer_option, else that of the choice
};

/// Whose script: they differ in what they make of a precision such as 1.0 and in the comparison.
enum class MathVistaRule { kOfficial, kLmms };

/// extract_answer: an answer that needs no judge; nothing where a judge is asked.
std::optional<Text> mathvista_extract(TextView reply, const MathVistaQuestion& question);

/// normalize_extracted_answer: nothing for what is no answer of this type.
std::optional<Text> mathvista_normal(const std::optional<Text>& extraction, const MathVistaQuestion& question,
                                     MathVistaRule rule);

/// safe_equal.
bool mathvista_equal(const std::optional<Text>& normal, TextView answer, MathVistaRule rule);

/// post_check of VLMEvalKit: what the reply (or what a judge extracted) means, and whether that is the answer.
struct MathVistaCheck {
  bool right = false;
  std::optional<Text> letter;    // multiple choice
  std::optional<Text> whole;     // an integer
  std::optional<double> number;  // a float
  bool is_none = false;          // of a text or a list: the text "None" is what it always compares
};
MathVistaCheck mathvista_check(TextView reply, const MathVistaQuestion& question);

}  // namespace vlsi
