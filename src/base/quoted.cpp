#include "base/quoted.h"

#include "base/json.h"
#include "base/utf8.h"

namespace vlsi {
namespace {

bool is_control(char32_t c) { return c < 0x20 || (c >= 0x7F && c < 0xA0); }

template <class IsEscaped>
std::string escape(std::string_view text, const IsEscaped& is_escaped) {
  constexpr const char* kDigits = "0123456789abcdef";
  std::string result;
  while (!text.empty()) {
    const auto step = next_code_point(text);
    const auto bytes = text.substr(0, step.num_bytes);
    if (step.whole && !is_escaped(step.code_point)) {
      result += bytes;
    } else {
      for (const unsigned char byte : bytes) result += {'\\', 'x', kDigits[byte >> 4], kDigits[byte & 15]};
    }
    text.remove_prefix(step.num_bytes);
  }
  return result;
}

}  // namespace

std::string quoted(const std::string& text) { return Json(text).dump(); }

std::string with_escapes(std::string_view text) {
  return escape(text, [](char32_t) { return false; });
}

std::string printable(std::string_view text) { return escape(text, is_control); }

std::string printable(const std::filesystem::filesystem_error& error) {
  return printable(error.path1().string()) + ": " + error.code().message();
}

}  // namespace vlsi
