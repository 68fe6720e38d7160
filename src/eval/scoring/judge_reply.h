// The numbers in what a judge answers.
#pragma once

#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include "text/python/python_text.h"

namespace vlsi {

/// LLaVA-Wilder: two numbers on the first line, one space or comma between them; (-1, -1) for anything else.
std::pair<double, double> wilder_scores(TextView review);

/// MM-Vet by VLMEvalKit: the first reply of at most five that is a number from 0 to 1, else 0. (Its own code takes nan,
/// too.)
double mmvet_score(const std::vector<Text>& replies);
inline constexpr int64_t kMmVetTries = 5;
/// One reply that is a number from 0 to 1 and nothing else.
std::optional<double> mmvet_whole(TextView reply);

/// MM-Vet by its authors: the first word of one reply as a number from 0 to 1.
std::optional<double> mmvet_first_word(TextView reply);

}  // namespace vlsi
