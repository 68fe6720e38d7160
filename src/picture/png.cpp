// PNG by libpng: every colour type and depth, to RGB as PIL's modes and conversions give it.
#include <png.h>

#include <algorithm>
#include <array>
#include <csetjmp>
#include <cstdio>
#include <cstring>
#include <optional>
#include <string_view>
#include <utility>

#include "base/error.h"
#include "picture/codecs.h"
#include "picture/exif.h"

namespace vlsi {
namespace {

constexpr png_uint_32 kLongestSide = 0x7fffffff;

/// The library's state. libpng reports errors by a jump; the functions that set one hold no object with a destructor.
class PngReader {
 public:
  PngReader(std::span<const uint8_t> bytes, const std::string& place) : rest_(bytes), place_(place) {
    message_[0] = '\0';
    png_ = png_create_read_struct(PNG_LIBPNG_VER_STRING, this, leave, ignore_warning);
    if (png_ != nullptr) info_ = png_create_info_struct(png_);
    if (info_ == nullptr) {
      png_destroy_read_struct(&png_, nullptr, nullptr);
      fail("cannot read PNG picture ", place, ": libpng could not be started");
    }
  }
  PngReader(const PngReader&) = delete;
  PngReader& operator=(const PngReader&) = delete;
  ~PngReader() { png_destroy_read_struct(&png_, &info_, nullptr); }

  void read_header() {
    if (!try_read_header()) fail_with_message();
  }

  /// Makes samples whole bytes: small gray scaled up, indices unpacked, 16 bits cut to the high byte except in plain
  /// gray. Gives the bytes of a row.
  size_t prepare_rows() {
    if (!try_prepare_rows()) fail_with_message();
    return png_get_rowbytes(png_, info_);
  }

  /// All rows, then everything up to the end of the file, which may lack its last chunk or end in it.
  void read_rows(std::vector<uint8_t*>& rows) {
    if (!try_read_rows(rows.data())) fail_with_message();
    if (!try_read_end() && !lacks_end_alone()) fail_with_message();
  }

  int64_t height() const { return png_get_image_height(png_, info_); }
  int64_t width() const { return png_get_image_width(png_, info_); }
  int colour_type() const { return png_get_color_type(png_, info_); }
  int bit_depth() const { return png_get_bit_depth(png_, info_); }
  int num_channels() const { return png_get_channels(png_, info_); }
  bool is_opaque() const {
    return (colour_type() & PNG_COLOR_MASK_ALPHA) == 0 && png_get_valid(png_, info_, PNG_INFO_tRNS) == 0;
  }

  /// Colours by index; indices beyond the palette are black.
  std::array<png_color, 256> palette() const {
    std::array<png_color, 256> colours{};
    png_colorp entries = nullptr;
    int count = 0;
    if (png_get_PLTE(png_, info_, &entries, &count) == 0) fail("cannot read PNG picture ", place_, ": no palette");
    std::copy_n(entries, std::min<int>(count, 256), colours.begin());
    return colours;
  }

  int orientation() const {
    png_bytep exif = nullptr;
    png_uint_32 num_exif_bytes = 0;
    std::optional<int> value;
    if (png_get_eXIf_1(png_, info_, &num_exif_bytes, &exif) != 0) {
      value = exif_orientation({exif, num_exif_bytes});
    } else {
      value = exif_orientation(raw_profile(text("Raw profile type exif")));  // what there was before the chunk eXIf
    }
    if (!value) value = xmp_orientation(text("XML:com.adobe.xmp"));
    return value.value_or(1);
  }

 private:
  /// The last text of this keyword, from a chunk of any kind before the pixels or behind them; empty without one.
  std::string_view text(std::string_view keyword) const {
    png_textp texts = nullptr;
    int num_texts = 0;
    png_get_text(png_, info_, &texts, &num_texts);
    std::string_view found;
    for (int i = 0; i < num_texts; ++i) {
      if (texts[i].text != nullptr && texts[i].key == keyword) found = texts[i].text;
    }
    return found;
  }

  [[noreturn]] static void leave(png_structp png, png_const_charp message) {
    auto* reader = static_cast<PngReader*>(png_get_error_ptr(png));
    std::snprintf(reader->message_, sizeof reader->message_, "%s", message);
    std::longjmp(reader->jump_, 1);
  }

  static void ignore_warning(png_structp, png_const_charp) {}

  static void copy_bytes(png_structp png, png_bytep out, size_t count) {
    auto* reader = static_cast<PngReader*>(png_get_io_ptr(png));
    reader->is_cut_ = count > reader->rest_.size();
    if (reader->is_cut_) png_error(png, "the file ends too early");
    std::memcpy(out, reader->rest_.data(), count);
    reader->rest_ = reader->rest_.subspan(count);
  }

  bool try_read_header() {
    if (setjmp(jump_)) return false;
    png_set_read_fn(png_, this, copy_bytes);
    // The cap on pixels replaces the library's own on either side.
    png_set_user_limits(png_, kLongestSide, kLongestSide);
    png_read_info(png_, info_);
    return true;
  }

  bool try_prepare_rows() {
    if (setjmp(jump_)) return false;
    const int type = png_get_color_type(png_, info_), depth = png_get_bit_depth(png_, info_);
    if (type == PNG_COLOR_TYPE_PALETTE) png_set_packing(png_);
    if (type == PNG_COLOR_TYPE_GRAY && depth < 8) png_set_expand_gray_1_2_4_to_8(png_);
    if (type != PNG_COLOR_TYPE_GRAY && depth == 16) png_set_strip_16(png_);
    png_set_interlace_handling(png_);
    png_read_update_info(png_, info_);
    return true;
  }

  bool try_read_rows(png_bytepp rows) {
    if (setjmp(jump_)) return false;
    png_read_image(png_, rows);
    return true;
  }

  bool try_read_end() {
    if (setjmp(jump_)) return false;
    png_read_end(png_, info_);
    return true;
  }

  /// Of a chunk whose header is cut, too, what is there must be IEND's: metadata may stand in another.
  bool lacks_end_alone() const {
    constexpr std::array<uint8_t, 8> kEnd{0, 0, 0, 0, 'I', 'E', 'N', 'D'};
    constexpr png_uint_32 kEndName = 0x49454E44;
    const bool in_header = (png_get_io_state(png_) & PNG_IO_MASK_LOC) == PNG_IO_CHUNK_HDR;
    return is_cut_ &&
           (in_header ? std::equal(rest_.begin(), rest_.end(), kEnd.begin()) : png_get_io_chunk_type(png_) == kEndName);
  }

  [[noreturn]] void fail_with_message() const { fail("cannot read PNG picture ", place_, ": ", message_); }

  std::span<const uint8_t> rest_;
  const std::string& place_;
  png_structp png_ = nullptr;
  png_infop info_ = nullptr;
  bool is_cut_ = false;  // by the file's end, where libpng was to read on
  std::jmp_buf jump_;
  char message_[256];
};

uint32_t read_big_endian(std::span<const uint8_t> bytes, size_t at) {
  return uint32_t{bytes[at]} << 24 | uint32_t{bytes[at + 1]} << 16 | uint32_t{bytes[at + 2]} << 8 | bytes[at + 3];
}

/// A file's chunks up to the first with pixels, and before this the texts and profiles that stand behind the pixels:
/// the orientation may be in them. Empty without such.
std::vector<uint8_t> with_metadata_in_front(std::span<const uint8_t> file) {
  constexpr size_t kSignatureBytes = 8, kFrameBytes = 12;  // a chunk's length, name and checksum
  size_t pixels = 0;                                       // where the first of them are
  std::vector<uint8_t> front;
  for (size_t at = kSignatureBytes; at + kFrameBytes <= file.size();) {
    const std::string_view name(reinterpret_cast<const char*>(file.data()) + at + 4, 4);
    const size_t size = read_big_endian(file, at) + kFrameBytes;
    if (size > file.size() - at || name == "IEND") break;
    if (name == "IDAT" && pixels == 0) {
      pixels = at;
      front.assign(file.begin(), file.begin() + static_cast<std::ptrdiff_t>(at));
    }
    if (pixels > 0 && (name == "eXIf" || name == "tEXt" || name == "zTXt" || name == "iTXt")) {
      front.insert(front.end(), file.begin() + static_cast<std::ptrdiff_t>(at),
                   file.begin() + static_cast<std::ptrdiff_t>(at + size));
    }
    at += size;
  }
  if (front.size() == pixels) return {};
  front.insert(front.end(), file.begin() + static_cast<std::ptrdiff_t>(pixels),
               file.begin() + static_cast<std::ptrdiff_t>(pixels + kFrameBytes));
  return front;
}

/// Whether the chunk of an animation may be in the file.
bool may_move(std::span<const uint8_t> file) {
  return std::string_view(reinterpret_cast<const char*>(file.data()), file.size()).find("acTL") !=
         std::string_view::npos;
}

void set_pixel(uint8_t* pixel, uint8_t red, uint8_t green, uint8_t blue) {
  pixel[0] = red;
  pixel[1] = green;
  pixel[2] = blue;
}

}  // namespace

DecodedImage decode_png(std::span<const uint8_t> bytes, const std::string& place, int64_t max_pixels) {
  PngReader reader(bytes, place);
  reader.read_header();
  DecodedImage decoded;
  Image& image = decoded.image;
  image = allocate_image(reader.height(), reader.width(), place, max_pixels);

  const size_t row_bytes = reader.prepare_rows();
  std::vector<uint8_t> samples(row_bytes * static_cast<size_t>(image.height));
  std::vector<uint8_t*> rows(static_cast<size_t>(image.height));
  for (size_t y = 0; y < rows.size(); ++y) rows[y] = samples.data() + y * row_bytes;
  reader.read_rows(rows);
  decoded.orientation = reader.orientation();

  const bool is_palette = reader.colour_type() == PNG_COLOR_TYPE_PALETTE;
  const bool is_wide_gray = reader.colour_type() == PNG_COLOR_TYPE_GRAY && reader.bit_depth() == 16;
  decoded.is_as_shown = reader.is_opaque() && !is_wide_gray && !may_move(bytes);
  const bool is_gray = (reader.colour_type() & PNG_COLOR_MASK_COLOR) == 0;
  const auto palette = is_palette ? reader.palette() : std::array<png_color, 256>{};
  const int sample_bytes = reader.num_channels() * (is_wide_gray ? 2 : 1);
  for (int64_t y = 0; y < image.height; ++y) {
    const uint8_t* in = rows[static_cast<size_t>(y)];
    uint8_t* out = image.rgb.data() + y * image.width * 3;
    for (int64_t x = 0; x < image.width; ++x, in += sample_bytes, out += 3) {
      if (is_palette) {
        const png_color& colour = palette[in[0]];
        set_pixel(out, colour.red, colour.green, colour.blue);
      } else if (is_wide_gray) {
        const uint8_t value = in[0] != 0 ? 255 : in[1];
        set_pixel(out, value, value, value);
      } else if (is_gray) {
        set_pixel(out, in[0], in[0], in[0]);
      } else {
        set_pixel(out, in[0], in[1], in[2]);
      }
    }
  }
  return decoded;
}

StoredSize measure_png(std::span<const uint8_t> bytes, const std::string& place, int64_t max_pixels) {
  const auto front = with_metadata_in_front(bytes);
  PngReader reader(front.empty() ? bytes : std::span<const uint8_t>(front), place);
  reader.read_header();
  check_size(reader.height(), reader.width(), place, max_pixels);
  return {{reader.height(), reader.width()}, reader.orientation()};
}

}  // namespace vlsi
