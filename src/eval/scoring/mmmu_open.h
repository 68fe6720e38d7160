// MMMU's rule for open questions.
#pragma once

#include <string>
#include <vector>

#include "text/python/python_text.h"

namespace vlsi {

/// parse_open_response and eval_open: a gold text is part of what the reply answers, or a gold number equals one of
/// its numbers, both to two decimals.
bool mmmu_open_right(TextView reply, const std::vector<Text>& golds);

/// The same as lmms-eval had it before version 0.7.3: of the candidates it looks through the characters of the first,
/// so that nothing but an empty gold is ever found.
bool mmmu_open_right_by_characters(TextView reply, const std::vector<Text>& golds);

}  // namespace vlsi
