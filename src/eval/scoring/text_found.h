// Whether the right text stands in a reply (OCRBench) or is it (RealWorldQA).
#pragma once

#include <vector>

#include "text/python/python_text.h"

namespace vlsi {

/// OCRBench: one of the golds is part of the reply, case-blind; of a formula both without spaces, and case counts.
/// `fold_width`: full-width forms count as ASCII, as lmms-eval has it (not in formulas).
bool ocr_text_found(TextView reply, const std::vector<Text>& golds, bool formula, bool fold_width);

/// RealWorldQA by lmms-eval: of a gold A to D the letter by rank, else the reply but for case and points at its end.
bool realworld_right(TextView reply, TextView gold);

}  // namespace vlsi
