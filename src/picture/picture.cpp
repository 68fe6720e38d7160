#include "picture/picture.h"

#include <algorithm>
#include <string_view>

#include "base/error.h"
#include "picture/codecs.h"
#include "picture/exif.h"

namespace vlsi {
namespace {

struct Signature {
  size_t offset;
  std::string_view bytes;
  std::string_view name;
};

/// Formats that people have under a picture's name, so that the message can say what the file is.
constexpr Signature kOtherFormats[] = {
    {0, "BM", "a BMP picture"},
    {0, {"II*\0", 4}, "a TIFF picture"},
    {0, {"MM\0*", 4}, "a TIFF picture"},
    {4, "ftypavif", "an AVIF picture"},
    {4, "ftyphei", "a HEIC picture"},
    {4, "ftypmif1", "a HEIC picture"},
    {4, "ftyp", "an MP4 video"},
    {4, "jP  \r\n", "a JPEG 2000 picture"},
    {4, "JXL \r\n", "a JPEG XL picture"},
    {0, "\xff\x0a", "a JPEG XL picture"},
    {0, {"\0\0\1\0", 4}, "a Windows icon"},
    {0, "8BPS", "a Photoshop picture"},
    {0, "%PDF", "a PDF document"},
    {0, "<svg", "an SVG picture"},
    {0, "<?xml", "an XML document"},
    {0, "<!DOCTYPE", "an HTML page"},
    {0, "<html", "an HTML page"},
    {0, "version https://git-lfs", "a Git LFS pointer"},
    {0, "PK\3\4", "a ZIP archive"},
};

bool has(std::string_view file, size_t offset, std::string_view signature) {
  return file.size() >= offset && file.substr(offset).starts_with(signature);
}

std::string_view describe_unknown(std::string_view file) {
  if (file.empty()) return "an empty file";
  for (const Signature& format : kOtherFormats) {
    if (has(file, format.offset, format.bytes)) return format.name;
  }
  const auto is_text = [](unsigned char c) { return c == '\t' || c == '\n' || c == '\r' || (c >= 0x20 && c < 0x7f); };
  const auto head = file.substr(0, 64);
  return std::all_of(head.begin(), head.end(), is_text) ? "a text file" : "bytes of no known picture format";
}

std::string_view text_of(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

std::span<const uint8_t> data_of(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size()};
}

}  // namespace

Table<PictureCodec>& picture_codecs() {
  static Table<PictureCodec> codecs{
      {"JPEG",
       "image/jpeg",
       {"jpg", "jpeg"},
       [](std::string_view file) { return has(file, 0, "\xff\xd8\xff"); },
       decode_jpeg,
       measure_jpeg},
      {"PNG",
       "image/png",
       {"png"},
       [](std::string_view file) { return has(file, 0, "\x89PNG\r\n\x1a\n"); },
       decode_png,
       measure_png},
      {"WebP",
       "image/webp",
       {"webp"},
       [](std::string_view file) { return has(file, 0, "RIFF") && has(file, 8, "WEBP"); },
       decode_webp,
       measure_webp},
      {"GIF",
       "image/gif",
       {"gif"},
       [](std::string_view file) { return has(file, 0, "GIF87a") || has(file, 0, "GIF89a"); },
       decode_gif,
       measure_gif},
  };
  return codecs;
}

bool is_picture_name(std::string_view name) {
  std::string ending(name.substr(name.rfind('.') + 1));
  std::transform(ending.begin(), ending.end(), ending.begin(), [](unsigned char c) { return std::tolower(c); });
  return std::any_of(picture_codecs().begin(), picture_codecs().end(), [&](const PictureCodec& codec) {
    return std::find(codec.endings.begin(), codec.endings.end(), ending) != codec.endings.end();
  });
}

bool begins_as_picture(std::string_view file) {
  const auto& codecs = picture_codecs();
  return std::any_of(codecs.begin(), codecs.end(), [&](const auto& codec) { return codec.recognises(file); });
}

const PictureCodec& picture_codec_of(std::string_view file, const std::string& place) {
  for (const auto& codec : picture_codecs()) {
    if (codec.recognises(file)) return codec;
  }
  auto names = picture_codecs().names();
  names.replace(names.rfind(", "), 2, " or ");
  fail("cannot read picture ", place, ": found ", describe_unknown(file), ", expected ", names);
}

void check_size(int64_t height, int64_t width, const std::string& place, int64_t max_pixels) {
  if (height < 1 || width < 1)
    fail("cannot read picture ", place, ": found ", width, "x", height, " pixels, expected at least 1x1");
  if (height > max_pixels / width) {
    fail("cannot read picture ", place, ": found ", width, "x", height, " pixels, expected at most ", max_pixels,
         " in all");
  }
}

Image allocate_image(int64_t height, int64_t width, const std::string& place, int64_t max_pixels) {
  check_size(height, width, place, max_pixels);
  return {height, width, std::vector<uint8_t>(static_cast<size_t>(height * width * 3))};
}

Image decode_image(std::span<const std::byte> bytes, const std::string& place, int64_t max_pixels) {
  DecodedImage decoded = picture_codec_of(text_of(bytes), place).read(data_of(bytes), place, max_pixels);
  return apply_orientation(std::move(decoded.image), decoded.orientation);
}

ImageSize measure_image(std::span<const std::byte> bytes, const std::string& place, int64_t max_pixels) {
  const auto [size, orientation] = picture_codec_of(text_of(bytes), place).measure(data_of(bytes), place, max_pixels);
  return is_transposed(orientation) ? ImageSize{size.width, size.height} : size;
}

}  // namespace vlsi
