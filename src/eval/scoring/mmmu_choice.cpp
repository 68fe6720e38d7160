#include "eval/scoring/mmmu_choice.h"

#include <functional>

namespace vlsi {
namespace {

/// What stands around an option's letter.
struct Form {
  TextView before, after;
  Text of(TextView label) const { return Text(before).append(label).append(after); }
};
constexpr Form kInBrackets{U"(", U")"}, kBetweenSpaces{U" ", U" "}, kBeforeSpace{U"", U" "}, kBeforePoint{U"", U"."};

/// The options that are said in this form.
std::vector<const Option*> said(TextView reply, const Options& options, const Form& form) {
  std::vector<const Option*> found;
  for (const auto& option : options) {
    if (contains(reply, form.of(option.label))) found.push_back(&option);
  }
  return found;
}

/// The one whose text is found last; of several alike, and where none is found, the first.
Text last_of(const std::vector<const Option*>& found, TextView reply, const std::function<Text(const Option&)>& text) {
  const Option* last = found.front();
  ptrdiff_t last_place = -2;
  for (const Option* option : found) {
    const size_t at = reply.rfind(text(*option));
    const ptrdiff_t place = at == reply.npos ? -1 : static_cast<ptrdiff_t>(at);
    if (place > last_place) {
      last = option;
      last_place = place;
    }
  }
  return last->label;
}

}  // namespace

std::optional<Text> mmmu_letter(TextView reply, const Options& options, MmmuRule rule) {
  for (const char32_t c : TextView(U",.!?;:'")) reply = strip(reply, TextView(&c, 1));
  const Text padded = Text(U" ").append(reply).append(U" ");
  const auto in_form = [](const Form& form) { return [form](const Option& option) { return form.of(option.label); }; };
  if (const auto found = said(padded, options, kInBrackets); !found.empty()) {
    return last_of(found, padded, in_form(kInBrackets));
  }
  auto found = said(padded, options, rule == MmmuRule::kOfficial ? kBetweenSpaces : kBeforeSpace);
  if (found.empty() && rule == MmmuRule::kLmms) found = said(padded, options, kBeforePoint);
  if (!found.empty()) return last_of(found, padded, in_form(kBetweenSpaces));
  constexpr size_t kFewWords = 5;
  if (split(padded).size() <= kFewWords) return std::nullopt;
  const Text words = lower(padded);
  for (const auto& option : options) {
    if (contains(words, lower(option.text))) found.push_back(&option);
  }
  if (found.empty()) return std::nullopt;
  return last_of(found, words, [](const Option& option) { return lower(option.text); });
}

std::optional<Text> mmmu_pro_letter(TextView reply, const Options& options) {
  constexpr TextView kMarker = U"Answer:";
  if (contains(reply, kMarker)) {
    const auto found = said(strip(after_last(reply, kMarker)), options, {U"", U""});
    if (found.size() == 1) return found[0]->label;
  }
  return mmmu_letter(reply, options, MmmuRule::kLmms);
}

}  // namespace vlsi
