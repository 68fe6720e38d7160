#include "eval/exact_match.h"

namespace vlsi {
namespace {

std::string_view trimmed(std::string_view text) {
  constexpr std::string_view kSpace = " \t\r\n\f\v";
  const auto first = text.find_first_not_of(kSpace);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kSpace) - first + 1);
}

}  // namespace

bool ExactMatch::is_right(std::string_view answer, std::string_view expected) {
  return trimmed(answer) == trimmed(expected);
}

void ExactMatch::add(const std::string& category, bool right) {
  for (auto* tally : {&overall_, &by_category_[category]}) {
    tally->right += right;
    ++tally->total;
  }
}

}  // namespace vlsi
