// Answers as the evaluation of VQA compares them: without punctuation and articles, number words as digits.
#pragma once

#include <vector>

#include "text/python/python_text.h"

namespace vlsi {

/// Which points go: those that touch no digit (VLMEvalKit), or those that no digit follows (EvalAI's processor).
enum class PointRule { kAwayFromDigits, kNotBeforeDigits };

/// Removes punctuation where it touches a space somewhere or a comma stands between digits, puts a space for it
/// elsewhere, and removes at most 32 points.
Text process_punctuation(TextView text, PointRule rule);

/// VLMEvalKit's process_answer.
Text vqa_answer(TextView text);

/// EvalAI's answer processor, of lmms-eval.
Text evalai_answer(TextView text);

/// Mean over the golds of how many of the others equal the answer, three being enough; all are processed already. The
/// mean is that of exact arithmetic, as lmms-eval has it.
double vqa_accuracy(const Text& answer, const std::vector<Text>& golds);

/// The same with the mean as NumPy rounds it, as VLMEvalKit has it.
double vqa_accuracy_numpy(const Text& answer, const std::vector<Text>& golds);

}  // namespace vlsi
