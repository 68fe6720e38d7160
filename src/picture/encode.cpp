#include "picture/encode.h"

#include <algorithm>
#include <cmath>
#include <span>

#include "base/base64.h"
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

std::string jpeg_uri(const Image& image) { return uri("image/jpeg", encode_jpeg(image)); }

std::string picture_uri(std::string_view file, const std::string& place) {
  // Also of a small file: what is no picture does not get onto the page.
  const auto image = decode_image(std::as_bytes(std::span(file)), place);
  const bool is_small = file.size() <= kMaxFileBytes && std::max(image.height, image.width) <= 2 * kMaxSide;
  if (!is_small) return jpeg_uri(shrunk(image));
  return uri(picture_codec_of(file, place).mime_type, file);
}

std::string picture_uri(const std::filesystem::path& path) {
  return picture_uri(MappedFile::open(path)->text(), path.string());
}

}  // namespace vlsi
