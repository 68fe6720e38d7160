#include "eval/scoring/judge_reply.h"

#include <algorithm>

#include "text/python/python_number.h"

namespace vlsi {
namespace {

std::optional<double> from_0_to_1(TextView text) {
  const auto number = parse_float(text);
  return number && *number >= 0 && *number <= 1 ? number : std::nullopt;
}

}  // namespace

std::pair<double, double> wilder_scores(TextView review) {
  const Text line = replace(strip(split(review, U"\n")[0]), U",", U" ");
  const auto words = split(line, U" ");
  if (words.size() != 2) return {-1, -1};
  const auto first = parse_float(words[0]), second = parse_float(words[1]);
  return first && second ? std::pair(*first, *second) : std::pair(-1.0, -1.0);
}

double mmvet_score(const std::vector<Text>& replies) {
  for (size_t i = 0; i < std::min<size_t>(replies.size(), kMmVetTries); ++i) {
    if (const auto score = mmvet_whole(replies[i])) return *score;
  }
  return 0;
}

std::optional<double> mmvet_whole(TextView reply) { return from_0_to_1(reply); }

std::optional<double> mmvet_first_word(TextView reply) { return from_0_to_1(strip(split(reply, U" ")[0])); }

}  // namespace vlsi
