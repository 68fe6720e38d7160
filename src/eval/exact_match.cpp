#include "eval/exact_match.h"

#include <iomanip>
#include <sstream>

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

OrderedJson to_json(const ExactMatch& match) {
  const auto counts = [](const Tally& tally) {
    return OrderedJson{{"accuracy", tally.accuracy()}, {"right", tally.right}, {"total", tally.total}};
  };
  OrderedJson categories = OrderedJson::object();
  for (const auto& [category, tally] : match.by_category()) {
    if (!category.empty()) categories[category] = counts(tally);
  }
  auto json = counts(match.overall());
  json["categories"] = std::move(categories);
  return json;
}

std::string to_text(const ExactMatch& match, const std::string& name) {
  std::ostringstream text;
  const auto line = [&](const std::string& what, const Tally& tally) {
    text << std::left << std::setw(24) << what << std::right << std::fixed << std::setprecision(2) << std::setw(7)
         << 100 * tally.accuracy() << " %  " << tally.right << " of " << tally.total << "\n";
  };
  line(name, match.overall());
  for (const auto& [category, tally] : match.by_category()) {
    if (!category.empty()) line("  " + category, tally);
  }
  return text.str();
}

}  // namespace vlsi
