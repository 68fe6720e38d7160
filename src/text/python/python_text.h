// Text as a Python program sees it (code points, its white space, cases and splits): the communities' scorers are
// Python, and their verdicts depend on it.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace vlsi {

using Text = std::u32string;
using TextView = std::u32string_view;

/// Bytes that are not UTF-8 become U+FFFD.
Text to_text(std::string_view utf8);
std::string to_utf8(TextView text);

/// The value of a decimal digit of any script (what a regular expression's \d matches), or -1.
int decimal_value(char32_t c);

/// str.strip of white space, or of any of `characters`; one side of it.
TextView strip(TextView text);
TextView strip(TextView text, TextView characters);
TextView strip_left(TextView text, TextView characters);
TextView strip_right(TextView text, TextView characters);

/// str.split at runs of white space (no empty pieces), or at every `separator` (of at least one character).
std::vector<TextView> split(TextView text);
std::vector<TextView> split(TextView text, TextView separator);
/// What follows the last `separator`; all of the text where there is none.
TextView after_last(TextView text, TextView separator);
/// str.split and " ".join: every run of white space one space, none at the ends.
Text collapse_space(TextView text);

bool contains(TextView text, TextView part);
/// str.replace; `from` has at least one character.
Text replace(TextView text, TextView from, TextView to);
/// Without the characters for which `dropped` is true.
template <class Predicate>
Text without(TextView text, Predicate dropped) {
  Text kept;
  for (const char32_t c : text) {
    if (!dropped(c)) kept += c;
  }
  return kept;
}

/// str.lower.
Text lower(TextView text);
/// str.upper of an ASCII letter or of one of the characters that a case-blind [A-Z] matches besides.
char32_t upper_letter(char32_t c);
/// len(text.upper()): longer than the text where a character's capital form is several.
size_t upper_length(TextView text);

/// Whether a case-blind [A-Z] of Python's `re` matches: ASCII letters, and the long s, the Kelvin sign, and the Turkish
/// i without and I with a dot.
bool is_letter_of_any_case(char32_t c);

/// The capital ASCII letter of option `index`, from 0.
constexpr char32_t option_letter(size_t index) { return U'A' + static_cast<char32_t>(index); }

}  // namespace vlsi
