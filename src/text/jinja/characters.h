// Characters as Python's strings see them.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace vlsi {

/// White space of str.isspace, str.strip and \s.
bool is_space(char32_t code_point);
/// Whether `text` has nothing but white space in it.
bool is_space(std::string_view text);
/// The length of the white space at the start.
size_t space_prefix(std::string_view text);
std::string_view strip_space_at_end(std::string_view text);

bool is_letter(char32_t code_point);
bool is_digit(char32_t code_point);    // str.isdigit: superscripts, too
bool is_decimal(char32_t code_point);  // str.isdecimal
bool is_numeric(char32_t code_point);  // str.isnumeric, but for numerals among ideographs
bool is_upper(char32_t code_point);
bool is_lower(char32_t code_point);
/// Whether repr() writes it as it is.
bool is_printable(char32_t code_point);

/// Its forms, as UTF-8. Letters with forms of several characters stay as they are, but for the sharp s.
std::string upper(char32_t code_point);
std::string lower(char32_t code_point);
std::string title(char32_t code_point);

/// Characters in `text`.
size_t count_characters(std::string_view text);
/// The byte at which character `index` begins; the size of `text` for those behind its end.
size_t character_start(std::string_view text, size_t index);

}  // namespace vlsi
