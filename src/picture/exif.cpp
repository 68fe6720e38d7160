#include "picture/exif.h"

#include <cctype>
#include <utility>

namespace vlsi {
namespace {

constexpr uint32_t kOrientationTag = 0x0112;
constexpr size_t kEntryBytes = 12;

/// Bytes of a value of an integer type: SHORT, LONG, SBYTE, SSHORT, SLONG. None of other types, whose values are no
/// orientation to PIL.
size_t bytes_of(uint32_t type) {
  switch (type) {
    case 6: return 1;
    case 3:
    case 8: return 2;
    case 4:
    case 9: return 4;
    default: return 0;
  }
}

/// Unsigned integers of either byte order, inside the block only.
struct TiffBlock {
  std::span<const uint8_t> bytes;
  bool big_endian;

  std::optional<uint32_t> read(size_t offset, size_t count) const {
    if (offset > bytes.size() || bytes.size() - offset < count) return std::nullopt;
    uint32_t value = 0;
    for (size_t i = 0; i < count; ++i) value = value << 8 | bytes[offset + (big_endian ? i : count - 1 - i)];
    return value;
  }
};

bool starts_with(std::span<const uint8_t> bytes, std::string_view prefix) {
  return bytes.size() >= prefix.size() && std::equal(prefix.begin(), prefix.end(), bytes.begin());
}

}  // namespace

std::optional<int> exif_orientation(std::span<const uint8_t> exif) {
  constexpr std::string_view kPrefix("Exif\0\0", 6);
  // Some writers repeat the prefix; PIL takes up to two away.
  for (int i = 0; i < 2 && starts_with(exif, kPrefix); ++i) exif = exif.subspan(kPrefix.size());
  const bool little = starts_with(exif, std::string_view("II*\0", 4));
  if (!little && !starts_with(exif, std::string_view("MM\0*", 4))) return std::nullopt;

  const TiffBlock block{exif, !little};
  const auto directory = block.read(4, 4);
  if (!directory) return std::nullopt;
  const auto num_entries = block.read(*directory, 2);
  if (!num_entries) return std::nullopt;
  for (size_t i = 0; i < *num_entries; ++i) {
    const size_t entry = size_t{*directory} + 2 + i * kEntryBytes;
    const auto tag = block.read(entry, 2), type = block.read(entry + 2, 2), count = block.read(entry + 4, 4);
    if (!tag || !type || !count) return std::nullopt;
    if (*tag != kOrientationTag) continue;
    if (*count != 1 || bytes_of(*type) == 0) return std::nullopt;
    const auto value = block.read(entry + 8, bytes_of(*type));
    if (!value || *value > 8) return std::nullopt;  // a negative number is above 8, too
    return static_cast<int>(*value);
  }
  return std::nullopt;
}

std::vector<uint8_t> raw_profile(std::string_view text) {
  for (int line = 0; line < 3; ++line) {
    const size_t end = text.find('\n');
    if (end == text.npos) return {};
    text.remove_prefix(end + 1);
  }
  std::vector<uint8_t> bytes;
  int num_digits = 0;
  for (const char c : text) {
    if (std::isspace(static_cast<unsigned char>(c))) continue;
    if (!std::isxdigit(static_cast<unsigned char>(c))) return {};
    const int value = std::isdigit(static_cast<unsigned char>(c)) ? c - '0' : (c | 0x20) - 'a' + 10;
    if (num_digits++ % 2 == 0) bytes.push_back(0);
    bytes.back() = static_cast<uint8_t>(bytes.back() << 4 | value);
  }
  if (num_digits % 2 != 0) return {};
  return bytes;
}

std::optional<int> xmp_orientation(std::string_view xmp) {
  constexpr std::string_view kName = "tiff:Orientation";
  for (size_t at = xmp.find(kName); at != std::string_view::npos; at = xmp.find(kName, at + 1)) {
    std::string_view rest = xmp.substr(at + kName.size());
    if (rest.starts_with("=\""))
      rest.remove_prefix(2);
    else if (rest.starts_with(">"))
      rest.remove_prefix(1);
    else
      continue;
    if (!rest.empty() && std::isdigit(static_cast<unsigned char>(rest[0]))) return rest[0] - '0';
  }
  return std::nullopt;
}

bool is_transposed(int orientation) { return orientation >= 5 && orientation <= 8; }

Image apply_orientation(Image image, int orientation) {
  if (orientation < 2 || orientation > 8) return image;
  const bool transposed = is_transposed(orientation);
  const bool flip_rows = orientation == 3 || orientation == 4 || orientation == 6 || orientation == 7;
  const bool flip_columns = orientation == 2 || orientation == 3 || orientation == 7 || orientation == 8;

  Image upright;
  upright.height = transposed ? image.width : image.height;
  upright.width = transposed ? image.height : image.width;
  upright.rgb.resize(image.rgb.size());
  uint8_t* out = upright.rgb.data();
  for (int64_t y = 0; y < upright.height; ++y) {
    for (int64_t x = 0; x < upright.width; ++x) {
      int64_t row = transposed ? x : y, column = transposed ? y : x;
      if (flip_rows) row = image.height - 1 - row;
      if (flip_columns) column = image.width - 1 - column;
      const uint8_t* pixel = image.rgb.data() + (row * image.width + column) * 3;
      for (int channel = 0; channel < 3; ++channel) *out++ = pixel[channel];
    }
  }
  return upright;
}

}  // namespace vlsi
