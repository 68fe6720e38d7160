#include "eval/scoring/number_match.h"

#include <algorithm>
#include <cmath>

#include "text/jinja/characters.h"
#include "text/python/python_number.h"

namespace vlsi {
namespace {

std::optional<double> number_of(TextView text, double percent) {
  if (!text.ends_with(U'%')) return parse_float(text);
  auto value = parse_float(strip_right(text, U"%"));
  if (value) *value /= percent;
  return value;
}

/// `percent`: what a number with a percent sign is divided by.
bool is_near(TextView gold, TextView answer, double percent) {
  constexpr double kTolerance = 0.05;
  const auto expected = number_of(gold, percent), given = number_of(answer, percent);
  if (given && expected && *expected != 0) return std::abs(*given - *expected) / std::abs(*expected) <= kTolerance;
  return lower(answer) == lower(gold);
}

}  // namespace

bool relaxed_right(TextView gold, TextView answer) { return is_near(gold, answer, 100); }

bool relaxed_right_swapped(const std::vector<Text>& golds, TextView answer) {
  if (std::any_of(answer.begin(), answer.end(), [](char32_t c) { return is_digit(c); }))
    answer = split(answer, U" ")[0];
  answer = strip(answer);
  return std::any_of(golds.begin(), golds.end(), [&](const Text& gold) { return is_near(answer, gold, 1); });
}

}  // namespace vlsi
