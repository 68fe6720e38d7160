// UTF-8: validity, code points, and the replacement of what is none.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace vlsi {

/// One step through bytes that may or may not be UTF-8.
struct Utf8Step {
  char32_t code_point;  // meaningful only when `whole`
  size_t num_bytes;     // of the code point, or of the longest start of one (1 for a byte that starts none)
  bool whole;
  bool cut_off;  // not whole only because the text ends
};

/// What stands at the start of `text`, which must not be empty. Surrogates, overlong forms and values above U+10FFFF
/// are not whole.
Utf8Step next_code_point(std::string_view text);

/// Appends the UTF-8 form of a code point.
void append_code_point(char32_t code_point, std::string& text);

/// The place of the first byte that is not UTF-8, or npos.
size_t find_invalid_utf8(std::string_view text);

/// Each maximal start of a code point that does not become one turns into one U+FFFD (Unicode 15, section 3.9, "U+FFFD
/// Substitution of Maximal Subparts"), as in Python's errors="replace".
std::string replace_invalid_utf8(std::string_view text);

/// How many bytes at the end are the start of a code point that more bytes could still make whole: 0 to 3.
size_t unfinished_bytes(std::string_view text);

inline constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";

/// Line ends in `text`.
size_t count_lines(std::string_view text);

/// The length of the run of ASCII at the start of `text`.
size_t ascii_prefix(std::string_view text);

}  // namespace vlsi
