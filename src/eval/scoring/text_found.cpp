#include "eval/scoring/text_found.h"

#include <algorithm>

#include "eval/scoring/ranked_letter.h"

namespace vlsi {
namespace {

Text without_spaces(TextView text) {
  return without(strip(text), [](char32_t c) { return c == U'\n' || c == U' '; });
}

Text fold_full_width(TextView text) {
  Text folded(text);
  for (char32_t& c : folded) {
    if (c >= 0xFF01 && c <= 0xFF5E) c -= 0xFEE0;
    if (c == 0x3000) c = U' ';
  }
  return folded;
}

}  // namespace

bool ocr_text_found(TextView reply, const std::vector<Text>& golds, bool formula, bool fold_width) {
  const auto plain = [&](TextView text) {
    if (formula) return without_spaces(text);
    const Text words = lower(fold_width ? fold_full_width(text) : Text(text));
    return replace(strip(words), U"\n", U" ");
  };
  const Text words = plain(fold_width ? strip(reply) : reply);
  return std::any_of(golds.begin(), golds.end(), [&](const Text& gold) { return contains(words, plain(gold)); });
}

bool realworld_right(TextView reply, TextView gold) {
  constexpr TextView kRealWorldLetters = U"ABCD";
  const TextView expected = strip(gold);
  const char32_t letter = expected.size() == 1 ? upper_letter(expected[0]) : U' ';
  if (kRealWorldLetters.find(letter) != kRealWorldLetters.npos)
    return ranked_letter(reply, kRealWorldLetters) == Text(1, letter);
  const Text words = lower(reply);
  return strip_right(strip(words), U".") == lower(expected);
}

}  // namespace vlsi
