// What a study says of numbers: intervals of means over seeds and of paired differences.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/mean_and_deviation.h"
#include "eval/interval.h"

namespace vlsi {

/// The t above which Student's distribution with so many degrees of freedom (1 or more) has (1 - level) / 2: within ±t
/// lies the share `level`, above 0 and below 1. The distribution function is the finite sum of Abramowitz and Stegun,
/// 26.7.3 and 26.7.4, inverted by bisection to the last bits of a double.
double student_t(int64_t degrees_of_freedom, double level);

/// The 95 % interval of the mean that `values` are draws of, by Student's t; none of fewer than two values.
std::optional<Interval> interval_of_mean(std::span<const double> values);

/// Scores of questions, by their ids.
using QuestionScores = std::map<std::string, double>;

/// The 95 % interval of the mean difference `ours - theirs`, by the bootstrap over the questions that both have: the
/// difference of a question is the mean of those of the pairs, which are runs of the same seeds. None without a common
/// question.
std::optional<Interval> interval_over_questions(const std::vector<QuestionScores>& ours,
                                                const std::vector<QuestionScores>& theirs);

}  // namespace vlsi
