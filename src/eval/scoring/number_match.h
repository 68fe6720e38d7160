// ChartQA's relaxed comparison: numbers within five per cent, other answers but for case.
#pragma once

#include <vector>

#include "text/python/python_text.h"

namespace vlsi {

/// The rule of its authors, of VLMEvalKit and of lmms-eval; a percentage is a hundredth.
bool relaxed_right(TextView gold, TextView answer);

/// The rule of Qwen-VL's script, which the evaluator of the method's authors has: the tolerance is a share of the
/// answer, a percent sign is only dropped, and an answer with a digit ends at its first space. Any of the golds.
bool relaxed_right_swapped(const std::vector<Text>& golds, TextView answer);

}  // namespace vlsi
