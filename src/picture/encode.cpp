#include "picture/encode.h"

#include <algorithm>
#include <cmath>
#include <span>
#include <utility>

#include "base/base64.h"
#include "base/error.h"
#include "base/mapped_file.h"
#include "picture/codecs.h"
#include "picture/exif.h"

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
  const auto& codec = picture_codec_of(file, place);
  auto [image, orientation, is_as_shown] =
      codec.read({reinterpret_cast<const uint8_t*>(file.data()), file.size()}, place, kMostImagePixels);
  const bool is_small = file.size() <= kMaxFileBytes && std::max(image.height, image.width) <= 2 * kMaxSide;
  // Browsers turn by the EXIF block of some formats alone, and never by XMP.
  const bool is_upright = orientation < 2 || orientation > 8;
  if (is_small && is_as_shown && is_upright) return uri(codec.mime_type, file);
  return jpeg_uri(shrunk(apply_orientation(std::move(image), orientation)));
}

std::string picture_uri(const std::filesystem::path& path) {
  return picture_uri(MappedFile::open(path)->text(), path.string());
}

}  // namespace vlsi
