#include "picture/encode.h"

#include <cstdio>
// jpeglib.h needs the declarations of <cstdio>.
#include <jpeglib.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <memory>

#include "base/error.h"
#include "base/mapped_file.h"

namespace vlsi {
namespace {

constexpr int64_t kMaxSide = 448;
constexpr size_t kMaxFileBytes = 64 << 10;

std::string_view mime_type(std::string_view bytes) {
  if (bytes.starts_with("\x89PNG")) return "image/png";
  if (bytes.starts_with("\xff\xd8")) return "image/jpeg";
  return "image/webp";
}

Image shrunk(const Image& image) {
  const double scale =
      std::min(1.0, static_cast<double>(kMaxSide) / static_cast<double>(std::max(image.height, image.width)));
  const auto side = [&](int64_t pixels) {
    return std::max<int64_t>(1, std::lround(scale * static_cast<double>(pixels)));
  };
  return resize_bicubic(image, side(image.height), side(image.width));
}

[[noreturn]] void refuse(j_common_ptr compressor) {
  char message[JMSG_LENGTH_MAX];
  (*compressor->err->format_message)(compressor, message);
  throw std::runtime_error(std::string("encoding a JPEG: ") + message);
}

std::string encode_jpeg(const Image& image) {
  jpeg_compress_struct compressor;
  jpeg_error_mgr errors;
  compressor.err = jpeg_std_error(&errors);
  errors.error_exit = refuse;
  jpeg_create_compress(&compressor);
  const std::unique_ptr<jpeg_compress_struct, void (*)(j_compress_ptr)> owner(&compressor, jpeg_destroy_compress);
  unsigned char* buffer = nullptr;
  unsigned long num_bytes = 0;
  jpeg_mem_dest(&compressor, &buffer, &num_bytes);
  compressor.image_width = static_cast<JDIMENSION>(image.width);
  compressor.image_height = static_cast<JDIMENSION>(image.height);
  compressor.input_components = 3;
  compressor.in_color_space = JCS_RGB;
  jpeg_set_defaults(&compressor);
  jpeg_set_quality(&compressor, 85, TRUE);
  jpeg_start_compress(&compressor, TRUE);
  for (int64_t y = 0; y < image.height; ++y) {
    auto* row = const_cast<JSAMPROW>(image.rgb.data() + y * image.width * 3);
    jpeg_write_scanlines(&compressor, &row, 1);
  }
  jpeg_finish_compress(&compressor);
  std::string bytes(reinterpret_cast<const char*>(buffer), num_bytes);
  std::free(buffer);
  return bytes;
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
  return is_small ? uri(mime_type(file->text()), file->text()) : jpeg_uri(shrunk(image));
}

}  // namespace vlsi
