#include "text/byte_level.h"

#include <array>
#include <cstdint>

#include "base/utf8.h"

namespace vlsi {
namespace {

// Printable characters of Latin-1 stand for themselves; the other 68 bytes are, in order, U+0100 to U+0143.
bool is_printable(int byte) { return (byte >= 0x21 && byte <= 0x7E) || (byte >= 0xA1 && byte <= 0xAC) || byte >= 0xAE; }

constexpr int kAlphabetEnd = 0x144;

struct Alphabet {
  std::array<char32_t, 256> character_of;
  std::array<int16_t, kAlphabetEnd> byte_of;
};

const Alphabet& alphabet() {
  static const Alphabet instance = [] {
    Alphabet a;
    a.byte_of.fill(-1);
    char32_t next = 0x100;
    for (int byte = 0; byte < 256; ++byte) {
      const char32_t character = is_printable(byte) ? byte : next++;
      a.character_of[byte] = character;
      a.byte_of[character] = static_cast<int16_t>(byte);
    }
    return a;
  }();
  return instance;
}

}  // namespace

std::optional<std::string> byte_level_decode(std::string_view spelling) {
  const Alphabet& a = alphabet();
  std::string bytes;
  bytes.reserve(spelling.size());
  for (size_t i = 0; i < spelling.size();) {
    const Utf8Step step = next_code_point(spelling.substr(i));
    if (!step.whole || step.code_point >= kAlphabetEnd || a.byte_of[step.code_point] < 0) return std::nullopt;
    bytes.push_back(static_cast<char>(a.byte_of[step.code_point]));
    i += step.num_bytes;
  }
  return bytes;
}

std::string byte_level_encode(std::string_view bytes) {
  std::string spelling;
  for (const char byte : bytes) append_code_point(alphabet().character_of[static_cast<unsigned char>(byte)], spelling);
  return spelling;
}

}  // namespace vlsi
