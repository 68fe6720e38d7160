#include "base/problems.h"

#include <algorithm>
#include <cstdint>
#include <map>
#include <optional>

namespace vlsi {
namespace {

constexpr size_t kMostEntries = 20;
constexpr size_t kMostDigits = 9;  // of a number that is merged; longer ones stay text

/// The first number of `text` that stands between two points.
struct Number {
  size_t begin, end;
  int64_t value;
};

std::optional<Number> find_number(const std::string& text) {
  for (size_t point = text.find('.'); point != std::string::npos; point = text.find('.', point + 1)) {
    const size_t begin = point + 1, end = text.find_first_not_of("0123456789", begin);
    if (end == std::string::npos) return std::nullopt;
    if (text[end] == '.' && end > begin && end - begin <= kMostDigits)
      return Number{begin, end, std::stoll(text.substr(begin, end - begin))};
  }
  return std::nullopt;
}

/// Problems of the same text around their number.
struct Entry {
  std::string before, after;
  std::vector<int64_t> numbers;  // none: `before` is the whole problem
  size_t count = 0;
};

/// "3", or "{0-3,5}" for several.
std::string list_of(std::vector<int64_t> numbers) {
  std::sort(numbers.begin(), numbers.end());
  numbers.erase(std::unique(numbers.begin(), numbers.end()), numbers.end());
  if (numbers.size() == 1) return std::to_string(numbers[0]);
  std::string text = "{";
  for (size_t first = 0, last = 0; first < numbers.size(); first = last + 1) {
    for (last = first; last + 1 < numbers.size() && numbers[last + 1] == numbers[last] + 1;) ++last;
    text += concat(first > 0 ? "," : "", numbers[first]);
    if (last > first) text += concat("-", numbers[last]);
  }
  return text + "}";
}

std::vector<Entry> merged(const std::vector<std::string>& problems) {
  std::vector<Entry> entries;
  std::map<std::pair<std::string, std::string>, size_t> places;
  for (const auto& problem : problems) {
    const auto number = find_number(problem);
    const auto before = number ? problem.substr(0, number->begin) : problem,
               after = number ? problem.substr(number->end) : "";
    const auto [place, is_new] = places.emplace(std::pair(before, after), entries.size());
    if (is_new) entries.push_back({before, after, {}, 0});
    auto& entry = entries[place->second];
    ++entry.count;
    if (number) entry.numbers.push_back(number->value);
  }
  return entries;
}

}  // namespace

std::string Problems::text() const {
  const auto entries = merged(problems_);
  std::string text;
  size_t num_told = 0;
  for (size_t i = 0; i < std::min(entries.size(), kMostEntries); ++i) {
    const auto& entry = entries[i];
    text += concat(i > 0 ? "; " : "", entry.before, entry.numbers.empty() ? "" : list_of(entry.numbers), entry.after);
    num_told += entry.count;
  }
  if (num_told < problems_.size()) text += concat("; and ", problems_.size() - num_told, " more");
  return text;
}

}  // namespace vlsi
