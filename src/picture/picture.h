// Pictures from files: decoded and turned to RGB as PIL does it, and resized as PIL does it.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace vlsi {

struct Image {
  int64_t height = 0, width = 0;
  std::vector<uint8_t> rgb;  // [height, width, 3]
};

struct ImageSize {
  int64_t height = 0, width = 0;

  bool operator==(const ImageSize&) const = default;
};

/// Pixels that a picture may have.
inline constexpr int64_t kMostImagePixels = 178'956'970;

/// Decodes JPEG, PNG, WebP or GIF by content (of an animation the first frame), applies the EXIF orientation, converts
/// to RGB as PIL's `convert("RGB")`: alpha and tRNS dropped, palette looked up, gray repeated, 16-bit gray saturated at
/// 255, CMYK (and Adobe's inverted CMYK, YCCK) as PIL. Error naming `place` for anything truncated, broken or of
/// another format, or above `max_pixels` (checked from the header, before anything is allocated).
Image decode_image(std::span<const std::byte> bytes, const std::string& place, int64_t max_pixels = kMostImagePixels);

/// The size of what decode_image gives, from the file's headers: no pixel is decoded. Errors are decode_image's, as far
/// as the headers show them.
ImageSize measure_image(std::span<const std::byte> bytes, const std::string& place,
                        int64_t max_pixels = kMostImagePixels);

/// PIL's antialiased bicubic (a = -0.5) on bytes: a horizontal and a vertical pass, each rounded to uint8 with 22-bit
/// fixed point weights; equal to `Image.resize((width, height), BICUBIC)` of Pillow 13 byte for byte. The horizontal
/// pass comes first, except where the height loses more than twice as many pixels as the width. height, width >= 1.
Image resize_bicubic(const Image& image, int64_t height, int64_t width);

/// `image` in the middle of a picture of this colour that is at least as large; an odd gap is wider below and at the
/// right.
Image pad(const Image& image, int64_t height, int64_t width, std::array<uint8_t, 3> colour);

}  // namespace vlsi
