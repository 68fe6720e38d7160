#include "base/utf8.h"

#include <algorithm>
#include <cstdint>
#include <cstring>

namespace vlsi {

Utf8Step next_code_point(std::string_view text) {
  const auto byte = [&](size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char first = byte(0);
  if (first < 0x80) return {first, 1, true, false};
  if (first < 0xC2 || first > 0xF4) return {0, 1, false, false};
  const size_t length = first < 0xE0 ? 2 : first < 0xF0 ? 3 : 4;
  // The second byte of these four is narrower than 80..BF: overlong forms, surrogates, the end of Unicode.
  const unsigned char low = first == 0xE0 ? 0xA0 : first == 0xF0 ? 0x90 : 0x80;
  const unsigned char high = first == 0xED ? 0x9F : first == 0xF4 ? 0x8F : 0xBF;
  char32_t code_point = first & (0x7Fu >> length);
  for (size_t i = 1; i < length; ++i) {
    if (i == text.size()) return {0, i, false, true};
    if (byte(i) < (i == 1 ? low : 0x80) || byte(i) > (i == 1 ? high : 0xBF)) return {0, i, false, false};
    code_point = code_point << 6 | (byte(i) & 0x3Fu);
  }
  return {code_point, length, true, false};
}

void append_code_point(char32_t code_point, std::string& text) {
  const auto put = [&](char32_t value) { text.push_back(static_cast<char>(value)); };
  if (code_point < 0x80) {
    put(code_point);
  } else if (code_point < 0x800) {
    put(0xC0 | code_point >> 6);
    put(0x80 | (code_point & 0x3F));
  } else if (code_point < 0x10000) {
    put(0xE0 | code_point >> 12);
    put(0x80 | (code_point >> 6 & 0x3F));
    put(0x80 | (code_point & 0x3F));
  } else {
    put(0xF0 | code_point >> 18);
    put(0x80 | (code_point >> 12 & 0x3F));
    put(0x80 | (code_point >> 6 & 0x3F));
    put(0x80 | (code_point & 0x3F));
  }
}

size_t count_lines(std::string_view text) {
  size_t count = 0;
  for (size_t at = text.find('\n'); at != text.npos; at = text.find('\n', at + 1)) ++count;
  return count;
}

size_t ascii_prefix(std::string_view text) {
  size_t i = 0;
  for (; i + 8 <= text.size(); i += 8) {
    uint64_t bytes;
    std::memcpy(&bytes, text.data() + i, 8);
    if (bytes & 0x8080808080808080u) break;
  }
  while (i < text.size() && static_cast<unsigned char>(text[i]) < 0x80) ++i;
  return i;
}

size_t find_invalid_utf8(std::string_view text) {
  for (size_t i = ascii_prefix(text); i < text.size();) {
    const Utf8Step step = next_code_point(text.substr(i));
    if (!step.whole) return i;
    i += step.num_bytes;
    if (i < text.size() && static_cast<unsigned char>(text[i]) < 0x80) i += ascii_prefix(text.substr(i));
  }
  return std::string_view::npos;
}

std::string replace_invalid_utf8(std::string_view text) {
  std::string result;
  result.reserve(text.size());
  for (size_t i = 0; i < text.size();) {
    const Utf8Step step = next_code_point(text.substr(i));
    if (step.whole) {
      result.append(text.substr(i, step.num_bytes));
    } else {
      result.append("\uFFFD");
    }
    i += step.num_bytes;
  }
  return result;
}

size_t unfinished_bytes(std::string_view text) {
  for (size_t length = std::min<size_t>(3, text.size()); length > 0; --length) {
    const Utf8Step step = next_code_point(text.substr(text.size() - length));
    if (step.cut_off) return length;
  }
  return 0;
}

}  // namespace vlsi
