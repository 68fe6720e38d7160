// The picture formats that are read, and written.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/table.h"
#include "picture/picture.h"

namespace vlsi {

struct DecodedImage {
  Image image;          // as stored, not yet turned
  int orientation = 1;  // EXIF's 1..8
  /// Whether a browser that is given the file shows `image`, but for the orientation: it is opaque, does not move, and
  /// its colours are not converted here in a way of PIL's own.
  bool is_as_shown = false;
};

/// A picture's size as stored, not yet turned, and EXIF's 1..8.
struct StoredSize {
  ImageSize size;
  int orientation = 1;
};

struct PictureCodec {
  std::string name, mime_type;       // "JPEG", "image/jpeg"
  std::vector<std::string> endings;  // of files' names, small letters without the dot: "jpg", "jpeg"
  bool (*recognises)(std::string_view file);
  /// Reads the whole picture, or throws an Error naming `place`.
  DecodedImage (*read)(std::span<const uint8_t> bytes, const std::string& place, int64_t max_pixels);
  /// Size and orientation of what `read` gives, from the headers; throws where these make `read` throw.
  StoredSize (*measure)(std::span<const uint8_t> bytes, const std::string& place, int64_t max_pixels);
};

Table<PictureCodec>& picture_codecs();

/// Whether a file of this name (or of this ending alone) is a picture by its ending, in letters of any size.
bool is_picture_name(std::string_view name);

/// Whether the file's first bytes (at least 16, where it has them) are those of a picture that is read.
bool begins_as_picture(std::string_view file);

/// The format of the file, by its content. Error naming `place` when it is none of the table.
const PictureCodec& picture_codec_of(std::string_view file, const std::string& place);

DecodedImage decode_jpeg(std::span<const uint8_t> bytes, const std::string& place, int64_t max_pixels);
DecodedImage decode_png(std::span<const uint8_t> bytes, const std::string& place, int64_t max_pixels);
DecodedImage decode_gif(std::span<const uint8_t> bytes, const std::string& place, int64_t max_pixels);
DecodedImage decode_webp(std::span<const uint8_t> bytes, const std::string& place, int64_t max_pixels);

StoredSize measure_jpeg(std::span<const uint8_t> bytes, const std::string& place, int64_t max_pixels);
StoredSize measure_png(std::span<const uint8_t> bytes, const std::string& place, int64_t max_pixels);
StoredSize measure_gif(std::span<const uint8_t> bytes, const std::string& place, int64_t max_pixels);
StoredSize measure_webp(std::span<const uint8_t> bytes, const std::string& place, int64_t max_pixels);

/// A JPEG file of quality 85. Error for a picture without pixels, or of more than 65,500 on a side.
std::string encode_jpeg(const Image& image);

/// Error naming `place` for a picture of this size that has no pixels or more than `max_pixels`.
void check_size(int64_t height, int64_t width, const std::string& place, int64_t max_pixels);
/// An Image of this size, all zero. Errors are check_size's, before anything is allocated.
Image allocate_image(int64_t height, int64_t width, const std::string& place, int64_t max_pixels);

}  // namespace vlsi
