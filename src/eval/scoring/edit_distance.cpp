#include "eval/scoring/edit_distance.h"

#include <algorithm>
#include <numeric>

namespace vlsi {

int64_t edit_distance(TextView one, TextView other) {
  while (!one.empty() && !other.empty() && one.front() == other.front()) {
    one.remove_prefix(1);
    other.remove_prefix(1);
  }
  while (!one.empty() && !other.empty() && one.back() == other.back()) {
    one.remove_suffix(1);
    other.remove_suffix(1);
  }
  if (one.size() > other.size()) std::swap(one, other);
  std::vector<int64_t> row(one.size() + 1);  // distances from the starts of `one` to the start of `other`
  std::iota(row.begin(), row.end(), 0);
  for (const char32_t c : other) {
    int64_t diagonal = row[0]++;
    for (size_t i = 0; i < one.size(); ++i) {
      const int64_t changed = diagonal + (one[i] != c);
      diagonal = row[i + 1];
      row[i + 1] = std::min({changed, diagonal + 1, row[i] + 1});
    }
  }
  return row.back();
}

double anls(const std::vector<Text>& golds, TextView answer) {
  const auto plain = [](TextView text) { return collapse_space(lower(strip(text))); };
  const Text given = plain(answer);
  const size_t given_length = upper_length(answer);
  double least = 1;
  for (const auto& gold : golds) {
    const size_t length = std::max(upper_length(gold), given_length);
    const auto distance = static_cast<double>(edit_distance(plain(gold), given));
    least = std::min(least, length == 0 ? 0.0 : distance / static_cast<double>(length));
  }
  constexpr double kThreshold = 0.5;
  return 1 - least < kThreshold ? 0 : 1 - least;
}

}  // namespace vlsi
