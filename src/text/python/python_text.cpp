#include "text/python/python_text.h"

#include <utf8proc.h>

#include <algorithm>
#include <iterator>

#include "base/utf8.h"
#include "text/jinja/characters.h"

namespace vlsi {
namespace {

struct Range {
  char32_t first, last;
};

/// Whether one of the ascending ranges has the character.
template <size_t kCount>
bool has(const Range (&ranges)[kCount], char32_t c) {
  const auto* range = std::lower_bound(std::begin(ranges), std::end(ranges), c,
                                       [](const Range& one, char32_t value) { return one.last < value; });
  return range != std::end(ranges) && range->first <= c;
}

// The zero of each run of ten decimal digits (Unicode 14, that of Python 3.11).
constexpr char32_t kZeros[] = {0x30,    0x660,   0x6F0,   0x7C0,   0x966,   0x9E6,   0xA66,   0xAE6,   0xB66,   0xBE6,
                               0xC66,   0xCE6,   0xD66,   0xDE6,   0xE50,   0xED0,   0xF20,   0x1040,  0x1090,  0x17E0,
                               0x1810,  0x1946,  0x19D0,  0x1A80,  0x1A90,  0x1B50,  0x1BB0,  0x1C40,  0x1C50,  0xA620,
                               0xA8D0,  0xA900,  0xA9D0,  0xA9F0,  0xAA50,  0xABF0,  0xFF10,  0x104A0, 0x10D30, 0x11066,
                               0x110F0, 0x11136, 0x111D0, 0x112F0, 0x11450, 0x114D0, 0x11650, 0x116C0, 0x11730, 0x118E0,
                               0x11950, 0x11C50, 0x11D50, 0x11DA0, 0x16A60, 0x16AC0, 0x16B50, 0x1D7CE, 0x1D7D8, 0x1D7E2,
                               0x1D7EC, 0x1D7F6, 0x1E140, 0x1E2F0, 0x1E950, 0x1FBF0};

// Characters whose capital form has two or three characters (SpecialCasing.txt).
constexpr Range kTwoCapitals[] = {
    {0xDF, 0xDF},     {0x149, 0x149},   {0x1F0, 0x1F0},   {0x587, 0x587},   {0x1E96, 0x1E9A}, {0x1F50, 0x1F50},
    {0x1F80, 0x1FAF}, {0x1FB2, 0x1FB4}, {0x1FB6, 0x1FB6}, {0x1FBC, 0x1FBC}, {0x1FC2, 0x1FC4}, {0x1FC6, 0x1FC6},
    {0x1FCC, 0x1FCC}, {0x1FD6, 0x1FD6}, {0x1FE4, 0x1FE4}, {0x1FE6, 0x1FE6}, {0x1FF2, 0x1FF4}, {0x1FF6, 0x1FF6},
    {0x1FFC, 0x1FFC}, {0xFB00, 0xFB02}, {0xFB05, 0xFB06}, {0xFB13, 0xFB17}};
constexpr Range kThreeCapitals[] = {{0x390, 0x390},   {0x3B0, 0x3B0},   {0x1F52, 0x1F52}, {0x1F54, 0x1F54},
                                    {0x1F56, 0x1F56}, {0x1FB7, 0x1FB7}, {0x1FC7, 0x1FC7}, {0x1FD2, 0x1FD3},
                                    {0x1FD7, 0x1FD7}, {0x1FE2, 0x1FE3}, {0x1FE7, 0x1FE7}, {0x1FF7, 0x1FF7},
                                    {0xFB03, 0xFB04}};

constexpr char32_t kCapitalSigma = 0x3A3, kSigma = 0x3C3, kFinalSigma = 0x3C2, kCapitalDottedI = 0x130,
                   kDotAbove = 0x307;

utf8proc_category_t category(char32_t c) { return utf8proc_category(static_cast<utf8proc_int32_t>(c)); }

bool is_cased(char32_t c) {
  const auto kind = category(c);
  return kind == UTF8PROC_CATEGORY_LU || kind == UTF8PROC_CATEGORY_LL || kind == UTF8PROC_CATEGORY_LT;
}

/// Marks and the like, which do not end a word for the final sigma.
bool is_case_ignorable(char32_t c) {
  switch (category(c)) {
    case UTF8PROC_CATEGORY_MN:
    case UTF8PROC_CATEGORY_ME:
    case UTF8PROC_CATEGORY_CF:
    case UTF8PROC_CATEGORY_LM:
    case UTF8PROC_CATEGORY_SK: return true;
    default:
      return TextView(U"'.:\u00B7\u0387\u055F\u05F4\u2018\u2019\u2024\u2027\uFE13\uFE52\uFE55\uFF07\uFF0E\uFF1A")
                 .find(c) != TextView::npos;
  }
}

bool is_final_sigma(TextView text, size_t place) {
  size_t before = place;
  while (before > 0 && is_case_ignorable(text[before - 1])) --before;
  if (before == 0 || !is_cased(text[before - 1])) return false;
  size_t after = place + 1;
  while (after < text.size() && is_case_ignorable(text[after])) ++after;
  return after == text.size() || !is_cased(text[after]);
}

}  // namespace

Text to_text(std::string_view utf8) {
  Text text;
  text.reserve(utf8.size());
  while (!utf8.empty()) {
    if (const size_t num_ascii = ascii_prefix(utf8); num_ascii > 0) {
      text.append(utf8.begin(), utf8.begin() + num_ascii);
      utf8.remove_prefix(num_ascii);
      continue;
    }
    const auto step = next_code_point(utf8);
    text += step.whole ? step.code_point : U'\uFFFD';
    utf8.remove_prefix(step.num_bytes);
  }
  return text;
}

std::string to_utf8(TextView text) {
  std::string utf8;
  utf8.reserve(text.size());
  for (const char32_t c : text) {
    if (c < 0x80) {
      utf8 += static_cast<char>(c);
    } else {
      append_code_point(c, utf8);
    }
  }
  return utf8;
}

int decimal_value(char32_t c) {
  if (c < U'0') return -1;
  const char32_t zero = *(std::upper_bound(std::begin(kZeros), std::end(kZeros), c) - 1);
  return c - zero < 10 ? static_cast<int>(c - zero) : -1;
}

TextView strip(TextView text) {
  while (!text.empty() && is_space(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_space(text.back())) text.remove_suffix(1);
  return text;
}

TextView strip(TextView text, TextView characters) { return strip_left(strip_right(text, characters), characters); }

TextView strip_left(TextView text, TextView characters) {
  text.remove_prefix(std::min(text.find_first_not_of(characters), text.size()));
  return text;
}

TextView strip_right(TextView text, TextView characters) {
  return text.substr(0, text.find_last_not_of(characters) + 1);
}

std::vector<TextView> split(TextView text) {
  std::vector<TextView> pieces;
  for (size_t i = 0; i < text.size();) {
    while (i < text.size() && is_space(text[i])) ++i;
    const size_t first = i;
    while (i < text.size() && !is_space(text[i])) ++i;
    if (i > first) pieces.push_back(text.substr(first, i - first));
  }
  return pieces;
}

std::vector<TextView> split(TextView text, TextView separator) {
  std::vector<TextView> pieces;
  for (size_t end; (end = text.find(separator)) != text.npos;) {
    pieces.push_back(text.substr(0, end));
    text.remove_prefix(end + separator.size());
  }
  pieces.push_back(text);
  return pieces;
}

TextView after_last(TextView text, TextView separator) {
  const size_t place = text.rfind(separator);
  return place == text.npos ? text : text.substr(place + separator.size());
}

Text collapse_space(TextView text) {
  Text joined;
  for (const auto piece : split(text)) {
    if (!joined.empty()) joined += U' ';
    joined += piece;
  }
  return joined;
}

bool contains(TextView text, TextView part) { return text.find(part) != text.npos; }

Text replace(TextView text, TextView from, TextView to) {
  Text result;
  for (size_t end; (end = text.find(from)) != text.npos;) {
    result += text.substr(0, end);
    result += to;
    text.remove_prefix(end + from.size());
  }
  result += text;
  return result;
}

Text lower(TextView text) {
  Text result;
  result.reserve(text.size());
  for (size_t i = 0; i < text.size(); ++i) {
    const char32_t c = text[i];
    if (c < 0x80) {
      result += c >= U'A' && c <= U'Z' ? c + (U'a' - U'A') : c;
    } else if (c == kCapitalDottedI) {
      result += {U'i', kDotAbove};
    } else if (c == kCapitalSigma) {
      result += is_final_sigma(text, i) ? kFinalSigma : kSigma;
    } else {
      result += static_cast<char32_t>(utf8proc_tolower(static_cast<utf8proc_int32_t>(c)));
    }
  }
  return result;
}

char32_t upper_letter(char32_t c) { return static_cast<char32_t>(utf8proc_toupper(static_cast<utf8proc_int32_t>(c))); }

size_t upper_length(TextView text) {
  size_t length = text.size();
  for (const char32_t c : text) {
    if (c >= 0x80) length += has(kTwoCapitals, c) ? 1 : has(kThreeCapitals, c) ? 2 : 0;
  }
  return length;
}

bool is_letter_of_any_case(char32_t c) {
  return (c < 0x80 && is_letter(c)) || c == 0x17F || c == 0x212A || c == 0x130 || c == 0x131;
}

}  // namespace vlsi
