// GIF by giflib: the first frame on the file's canvas, as PIL opens it.
#include <gif_lib.h>

#include <algorithm>
#include <cstring>
#include <memory>

#include "base/error.h"
#include "picture/codecs.h"

namespace vlsi {
namespace {

/// Rows of an interlaced frame come in passes: every `step`-th from `first` on.
struct Pass {
  int first, step;
};
constexpr Pass kInterlaced[] = {{0, 8}, {4, 8}, {2, 4}, {1, 2}}, kPlain[] = {{0, 1}};

/// What the library reads from. Behind the file's last byte stands the mark that ends a frame's data, so that a file is
/// read which lacks nothing else.
struct Source {
  std::span<const uint8_t> rest;

  static int read(GifFileType* gif, GifByteType* out, int count) {
    auto& rest = static_cast<Source*>(gif->UserData)->rest;
    if (rest.empty() && count == 1) {
      *out = 0;
      return 1;
    }
    const auto found = std::min(rest.size(), static_cast<size_t>(count));
    std::memcpy(out, rest.data(), found);
    rest = rest.subspan(found);
    return static_cast<int>(found);
  }
};

struct Close {
  void operator()(GifFileType* gif) const { DGifCloseFile(gif, nullptr); }
};
using Gif = std::unique_ptr<GifFileType, Close>;

void check(int result, const Gif& gif, const std::string& place) {
  if (result == GIF_OK) return;
  const char* message = GifErrorString(gif->Error);
  fail("cannot read GIF picture ", place, ": ", message != nullptr ? message : "the data is broken");
}

/// Goes to the first frame's rows. Gives the index of the transparent colour, 0 without one.
uint8_t find_frame(const Gif& gif, const std::string& place) {
  uint8_t transparent = 0;
  for (GifRecordType type = UNDEFINED_RECORD_TYPE;;) {
    check(DGifGetRecordType(gif.get(), &type), gif, place);
    if (type == IMAGE_DESC_RECORD_TYPE) break;
    if (type != EXTENSION_RECORD_TYPE) fail("cannot read GIF picture ", place, ": found no frame, expected one");
    int kind = 0;
    GifByteType* block = nullptr;  // its length, then its bytes
    check(DGifGetExtension(gif.get(), &kind, &block), gif, place);
    if (kind == GRAPHICS_EXT_FUNC_CODE && block != nullptr && block[0] >= 4)
      transparent = (block[1] & 1) != 0 ? block[4] : 0;
    while (block != nullptr) check(DGifGetExtensionNext(gif.get(), &block), gif, place);
  }
  check(DGifGetImageDesc(gif.get()), gif, place);
  return transparent;
}

/// Colours by index: a palette's, black beyond it; gray where the file has none.
std::vector<GifColorType> colours_of(const GifFileType& gif) {
  const auto* map = gif.Image.ColorMap != nullptr ? gif.Image.ColorMap : gif.SColorMap;
  std::vector<GifColorType> colours(256);
  for (int i = 0; i < 256; ++i) {
    const auto gray = static_cast<uint8_t>(i);
    if (map == nullptr) colours[i] = {gray, gray, gray};
    if (map != nullptr && i < map->ColorCount) colours[i] = map->Colors[i];
  }
  return colours;
}

/// A file whose first frame's rows come next.
struct OpenedGif {
  Gif gif;
  uint8_t background = 0;
  ImageSize size;  // of the canvas, which holds the frame
};

OpenedGif open_gif(Source& source, const std::string& place) {
  int error = 0;
  OpenedGif opened;
  opened.gif.reset(DGifOpen(&source, Source::read, &error));
  if (!opened.gif) fail("cannot read GIF picture ", place, ": ", GifErrorString(error));
  opened.background = find_frame(opened.gif, place);
  const auto& frame = opened.gif->Image;
  if (frame.Width < 1 || frame.Height < 1)
    fail("cannot read GIF picture ", place, ": its first frame has ", frame.Width, "x", frame.Height, " pixels");
  opened.size = {std::max<int64_t>(opened.gif->SHeight, int64_t{frame.Top} + frame.Height),
                 std::max<int64_t>(opened.gif->SWidth, int64_t{frame.Left} + frame.Width)};
  return opened;
}

}  // namespace

StoredSize measure_gif(std::span<const uint8_t> bytes, const std::string& place, int64_t max_pixels) {
  Source source{bytes};
  const auto size = open_gif(source, place).size;
  check_size(size.height, size.width, place, max_pixels);
  return {size};
}

DecodedImage decode_gif(std::span<const uint8_t> bytes, const std::string& place, int64_t max_pixels) {
  Source source{bytes};
  const auto [gif, background, size] = open_gif(source, place);
  const auto& frame = gif->Image;
  DecodedImage decoded;
  Image& image = decoded.image;
  image = allocate_image(size.height, size.width, place, max_pixels);
  const auto colours = colours_of(*gif);
  const auto set_pixel = [&](uint8_t* pixel, uint8_t index) {
    const auto& colour = colours[index];
    pixel[0] = colour.Red;
    pixel[1] = colour.Green;
    pixel[2] = colour.Blue;
  };
  for (size_t i = 0; i < image.rgb.size(); i += 3) set_pixel(image.rgb.data() + i, background);
  std::vector<GifPixelType> row(static_cast<size_t>(frame.Width));
  for (const auto& [first, step] : frame.Interlace ? std::span<const Pass>(kInterlaced) : std::span(kPlain)) {
    for (int y = first; y < frame.Height; y += step) {
      check(DGifGetLine(gif.get(), row.data(), frame.Width), gif, place);
      uint8_t* out = image.rgb.data() + ((int64_t{frame.Top} + y) * image.width + frame.Left) * 3;
      for (const GifPixelType index : row) {
        set_pixel(out, index);
        out += 3;
      }
    }
  }
  return decoded;
}

}  // namespace vlsi
