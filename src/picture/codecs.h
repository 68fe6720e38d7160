// The decoders behind decode_image, one a format. Each reads the whole picture or throws an Error naming `place`.
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "picture/picture.h"

namespace vlsi {

struct DecodedImage {
  Image image;          // as stored, not yet turned
  int orientation = 1;  // EXIF's 1..8
};

DecodedImage decode_jpeg(std::span<const uint8_t> bytes, const std::string& place, int64_t max_pixels);
DecodedImage decode_png(std::span<const uint8_t> bytes, const std::string& place, int64_t max_pixels);
DecodedImage decode_webp(std::span<const uint8_t> bytes, const std::string& place, int64_t max_pixels);

/// An Image of this size, all zero. Error, before anything is allocated, when it has no pixels or more than
/// `max_pixels`.
Image allocate_image(int64_t height, int64_t width, const std::string& place, int64_t max_pixels);

}  // namespace vlsi
