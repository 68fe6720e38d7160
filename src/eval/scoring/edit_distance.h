// Edit distance, and the similarity of answers that is made of it.
#pragma once

#include <cstdint>
#include <vector>

#include "text/python/python_text.h"

namespace vlsi {

/// Levenshtein's, of characters.
int64_t edit_distance(TextView one, TextView other);

/// Average normalised Levenshtein similarity of one answer (DocVQA, InfoVQA): 1 - distance / length for the nearest
/// gold, 0 below one half. The distance is that of the lower-cased texts with single spaces, the length that of the
/// longer raw text in capitals.
double anls(const std::vector<Text>& golds, TextView answer);

}  // namespace vlsi
