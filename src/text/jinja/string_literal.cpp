#include "text/jinja/string_literal.h"

#include <algorithm>
#include <charconv>
#include <cstdint>

#include "base/error.h"
#include "base/utf8.h"

namespace vlsi {
namespace {

struct SimpleEscape {
  char letter, character;
};
constexpr SimpleEscape kSimpleEscapes[] = {{'n', '\n'}, {'t', '\t'}, {'r', '\r'}, {'\\', '\\'}, {'\'', '\''},
                                           {'"', '"'},  {'a', '\a'}, {'b', '\b'}, {'f', '\f'},  {'v', '\v'}};

/// The number of hexadecimal digits behind the letter of an escape; 0 where it has none.
size_t num_hex_digits(char letter) { return letter == 'x' ? 2 : letter == 'u' ? 4 : letter == 'U' ? 8 : 0; }

char32_t parse_code_point(std::string_view digits, int base, const std::string& place) {
  uint32_t value = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value, base);
  if (error != std::errc() || end != digits.data() + digits.size()) {
    fail(place, ": a string has the escape digits '", digits, "', expected digits of base ", base);
  }
  if (value > 0x10FFFF || (value >= 0xD800 && value < 0xE000)) {
    fail(place, ": a string has an escape for ", value, ", which is no character");
  }
  return value;
}

}  // namespace

std::string resolve_escapes(std::string_view literal, const std::string& place) {
  std::string text;
  for (size_t i = 0; i < literal.size();) {
    if (literal[i] != '\\' || i + 1 == literal.size()) {
      text += literal[i++];
      continue;
    }
    const char letter = literal[i + 1];
    i += 2;
    if (letter == '\n') continue;
    if (letter == 'N') fail(place, ": a string has the escape \\N, which is not supported");
    if (const size_t count = num_hex_digits(letter)) {
      if (literal.size() - i < count) fail(place, ": a string has the escape \\", letter, " with too few digits");
      append_code_point(parse_code_point(literal.substr(i, count), 16, place), text);
      i += count;
    } else if (letter >= '0' && letter <= '7') {
      size_t length = 1;
      while (length < 3 && i - 1 + length < literal.size() && literal[i - 1 + length] >= '0' &&
             literal[i - 1 + length] <= '7')
        ++length;
      append_code_point(parse_code_point(literal.substr(i - 1, length), 8, place), text);
      i += length - 1;
    } else {
      const auto* found = std::find_if(std::begin(kSimpleEscapes), std::end(kSimpleEscapes),
                                       [&](const SimpleEscape& e) { return e.letter == letter; });
      if (found == std::end(kSimpleEscapes)) text += '\\';
      text += found == std::end(kSimpleEscapes) ? letter : found->character;
    }
  }
  return text;
}

}  // namespace vlsi
