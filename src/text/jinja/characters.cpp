#include "text/jinja/characters.h"

#include <utf8proc.h>

#include "base/utf8.h"

namespace vlsi {
namespace {

utf8proc_category_t category(char32_t c) { return utf8proc_category(static_cast<utf8proc_int32_t>(c)); }

std::string as_utf8(utf8proc_int32_t c) {
  std::string text;
  append_code_point(static_cast<char32_t>(c), text);
  return text;
}

bool continues_character(char byte) { return (static_cast<unsigned char>(byte) & 0xC0) == 0x80; }

}  // namespace

bool is_space(char32_t c) {
  return (c >= 0x9 && c <= 0xD) || (c >= 0x1C && c <= 0x20) || c == 0x85 || c == 0xA0 || c == 0x1680 ||
         (c >= 0x2000 && c <= 0x200A) || c == 0x2028 || c == 0x2029 || c == 0x202F || c == 0x205F || c == 0x3000;
}

bool is_space(std::string_view text) { return space_prefix(text) == text.size(); }

size_t space_prefix(std::string_view text) {
  size_t end = 0;
  while (end < text.size()) {
    const Utf8Step step = next_code_point(text.substr(end));
    if (!step.whole || !is_space(step.code_point)) break;
    end += step.num_bytes;
  }
  return end;
}

std::string_view strip_space_at_end(std::string_view text) {
  while (!text.empty()) {
    size_t start = text.size() - 1;
    while (start > 0 && continues_character(text[start])) --start;
    if (!is_space(text.substr(start))) break;
    text = text.substr(0, start);
  }
  return text;
}

bool is_letter(char32_t c) {
  const auto kind = category(c);
  return kind >= UTF8PROC_CATEGORY_LU && kind <= UTF8PROC_CATEGORY_LO;
}

bool is_decimal(char32_t c) { return category(c) == UTF8PROC_CATEGORY_ND; }

bool is_digit(char32_t c) {
  return is_decimal(c) || c == 0xB2 || c == 0xB3 || c == 0xB9 || c == 0x2070 || (c >= 0x2074 && c <= 0x2079) ||
         (c >= 0x2080 && c <= 0x2089) || (c >= 0x2460 && c <= 0x2468);
}

bool is_numeric(char32_t c) {
  const auto kind = category(c);
  return kind == UTF8PROC_CATEGORY_ND || kind == UTF8PROC_CATEGORY_NL || kind == UTF8PROC_CATEGORY_NO;
}

bool is_upper(char32_t c) { return category(c) == UTF8PROC_CATEGORY_LU; }
bool is_lower(char32_t c) { return category(c) == UTF8PROC_CATEGORY_LL; }

bool is_printable(char32_t c) {
  switch (category(c)) {
    case UTF8PROC_CATEGORY_CN:
    case UTF8PROC_CATEGORY_CC:
    case UTF8PROC_CATEGORY_CF:
    case UTF8PROC_CATEGORY_CS:
    case UTF8PROC_CATEGORY_CO:
    case UTF8PROC_CATEGORY_ZL:
    case UTF8PROC_CATEGORY_ZP: return false;
    case UTF8PROC_CATEGORY_ZS: return c == ' ';
    default: return true;
  }
}

std::string upper(char32_t c) { return c == 0xDF ? "SS" : as_utf8(utf8proc_toupper(static_cast<utf8proc_int32_t>(c))); }
std::string lower(char32_t c) { return as_utf8(utf8proc_tolower(static_cast<utf8proc_int32_t>(c))); }
std::string title(char32_t c) { return c == 0xDF ? "Ss" : as_utf8(utf8proc_totitle(static_cast<utf8proc_int32_t>(c))); }

size_t count_characters(std::string_view text) {
  size_t count = 0;
  for (const char byte : text) count += !continues_character(byte);
  return count;
}

size_t character_start(std::string_view text, size_t index) {
  size_t start = 0;
  while (start < text.size()) {
    if (!continues_character(text[start]) && index-- == 0) break;
    ++start;
  }
  return start;
}

}  // namespace vlsi
