// WebP by libwebp: lossy and lossless, of an animation the first frame; alpha dropped.
#include <webp/decode.h>
#include <webp/demux.h>

#include <memory>
#include <optional>
#include <string_view>

#include "base/error.h"
#include "picture/codecs.h"
#include "picture/exif.h"

namespace vlsi {
namespace {

constexpr size_t kRiffHeaderBytes = 12, kChunkHeaderBytes = 8;

std::string_view describe_status(VP8StatusCode status) {
  switch (status) {
    case VP8_STATUS_NOT_ENOUGH_DATA:
    case VP8_STATUS_SUSPENDED: return "the file ends too early";
    case VP8_STATUS_OUT_OF_MEMORY: return "not enough memory";
    case VP8_STATUS_UNSUPPORTED_FEATURE: return "it uses a feature that libwebp does not support";
    default: return "the data is broken";
  }
}

void check(VP8StatusCode status, const std::string& place) {
  if (status != VP8_STATUS_OK) fail("cannot read WebP picture ", place, ": ", describe_status(status));
}

size_t read_u32(std::span<const uint8_t> bytes, size_t offset) {
  size_t value = 0;
  for (size_t i = 0; i < 4; ++i) value |= size_t{bytes[offset + i]} << (8 * i);
  return value;
}

/// Walks over the chunks of the file; the metadata stands behind the picture.
int read_orientation(std::span<const uint8_t> bytes) {
  std::optional<int> from_exif, from_xmp;
  for (size_t at = kRiffHeaderBytes; at + kChunkHeaderBytes <= bytes.size();) {
    const std::string_view name(reinterpret_cast<const char*>(bytes.data()) + at, 4);
    const size_t size = read_u32(bytes, at + 4), begin = at + kChunkHeaderBytes;
    if (size > bytes.size() - begin) break;
    const auto data = bytes.subspan(begin, size);
    if (name == "EXIF") from_exif = exif_orientation(data);
    if (name == "XMP ") from_xmp = xmp_orientation({reinterpret_cast<const char*>(data.data()), data.size()});
    at = begin + size + (size & 1);
  }
  return from_exif ? *from_exif : from_xmp.value_or(1);
}

struct DeleteDecoder {
  void operator()(WebPAnimDecoder* decoder) const { WebPAnimDecoderDelete(decoder); }
};

/// The first frame of an animation, on its canvas, whose size `image` has.
void read_first_frame(std::span<const uint8_t> bytes, Image& image, const std::string& place) {
  WebPAnimDecoderOptions options;
  if (WebPAnimDecoderOptionsInit(&options) == 0)
    fail("cannot read WebP picture ", place, ": libwebp has another interface");
  options.color_mode = MODE_RGBA;
  const WebPData data{bytes.data(), bytes.size()};
  const std::unique_ptr<WebPAnimDecoder, DeleteDecoder> decoder(WebPAnimDecoderNew(&data, &options));
  WebPAnimInfo info;
  uint8_t* canvas = nullptr;
  int timestamp = 0;
  if (!decoder || WebPAnimDecoderGetInfo(decoder.get(), &info) == 0 || info.canvas_width != image.width ||
      info.canvas_height != image.height || WebPAnimDecoderGetNext(decoder.get(), &canvas, &timestamp) == 0) {
    fail("cannot read WebP picture ", place, ": the animation's first frame is broken");
  }
  for (size_t i = 0; i < image.rgb.size(); ++i) image.rgb[i] = canvas[i / 3 * 4 + i % 3];
}

/// Of a file that is there as a whole.
WebPDecoderConfig read_features(std::span<const uint8_t> bytes, const std::string& place) {
  const size_t file_bytes = read_u32(bytes, 4) + kChunkHeaderBytes;
  if (file_bytes > bytes.size()) {
    fail("cannot read WebP picture ", place, ": found ", bytes.size(), " bytes, expected ", file_bytes);
  }
  WebPDecoderConfig config;
  if (WebPInitDecoderConfig(&config) == 0) fail("cannot read WebP picture ", place, ": libwebp has another interface");
  check(WebPGetFeatures(bytes.data(), bytes.size(), &config.input), place);
  return config;
}

}  // namespace

DecodedImage decode_webp(std::span<const uint8_t> bytes, const std::string& place, int64_t max_pixels) {
  auto config = read_features(bytes, place);
  DecodedImage decoded;
  Image& image = decoded.image;
  image = allocate_image(config.input.height, config.input.width, place, max_pixels);
  decoded.orientation = read_orientation(bytes);
  decoded.is_as_shown = config.input.has_animation == 0 && config.input.has_alpha == 0;
  if (config.input.has_animation != 0) {
    read_first_frame(bytes, image, place);
    return decoded;
  }
  config.output.colorspace = MODE_RGB;
  config.output.is_external_memory = 1;
  config.output.u.RGBA.rgba = image.rgb.data();
  config.output.u.RGBA.stride = static_cast<int>(image.width * 3);
  config.output.u.RGBA.size = image.rgb.size();
  check(WebPDecode(bytes.data(), bytes.size(), &config), place);
  return decoded;
}

StoredSize measure_webp(std::span<const uint8_t> bytes, const std::string& place, int64_t max_pixels) {
  const auto features = read_features(bytes, place).input;
  check_size(features.height, features.width, place, max_pixels);
  return {{features.height, features.width}, read_orientation(bytes)};
}

}  // namespace vlsi
