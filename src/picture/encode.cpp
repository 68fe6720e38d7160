#include "picture/encode.h"

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "base/mapped_file.h"
#include "picture/codecs.h"

namespace vlsi {
namespace {

constexpr int64_t kMaxSide = 448;
constexpr size_t kMaxFileBytes = 64 << 10;

Image shrunk(const Image& image) {
  const double scale =
      std::min(1.0, static_cast<double>(kMaxSide) / static_cast<double>(std::max(image.height, image.width)));
  const auto side = [&](int64_t pixels) {
    return std::max<int64_t>(1, std::lround(scale * static_cast<double>(pixels)));
  };
  return resize_bicubic(image, side(image.height), side(image.width));
}

std::string uri(std::string_view type, std::string_view bytes) {
  return concat("data:", type, ";base64,", base64(bytes));
}

}  // namespace

std::string base64(std::string_view bytes) {
  static const char* const kDigits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string text;
  for (size_t i = 0; i < bytes.size(); i += 3) {
    uint32_t group = 0;
    const size_t num_bytes = std::min<size_t>(3, bytes.size() - i);
    for (size_t j = 0; j < 3; ++j) group = group << 8 | (j < num_bytes ? static_cast<unsigned char>(bytes[i + j]) : 0);
    for (size_t j = 0; j < 4; ++j) text += j <= num_bytes ? kDigits[group >> (18 - 6 * j) & 63] : '=';
  }
  return text;
}

std::string jpeg_uri(const Image& image) { return uri("image/jpeg", encode_jpeg(image)); }

std::string picture_uri(const std::filesystem::path& path) {
  const auto image = read_image(path);  // also of a small file: what is no picture does not get onto the page
  const auto file = MappedFile::open(path);
  const bool is_small = file->bytes().size() <= kMaxFileBytes && std::max(image.height, image.width) <= 2 * kMaxSide;
  if (!is_small) return jpeg_uri(shrunk(image));
  return uri(picture_codec_of(file->text(), path.string()).mime_type, file->text());
}

}  // namespace vlsi
