// JPEG by libjpeg-turbo at its defaults (accurate integer DCT, fancy upsampling), as PIL uses it; and back.
#include <csetjmp>
#include <cstdio>
#include <cstring>
#include <optional>
#include <string_view>

#include "base/error.h"
#include "picture/codecs.h"
#include "picture/exif.h"

#include <jpeglib.h>

namespace vlsi {
namespace {

constexpr int kMetadataMarker = JPEG_APP0 + 1;
constexpr unsigned kLongestMarker = 0xffff;

/// libjpeg reports errors by a call that must not return; the jump leads back into the function that called the
/// library.
struct ErrorManager {
  ErrorManager() {
    jpeg_std_error(&base);
    base.error_exit = leave;
    base.output_message = ignore_message;
  }
  [[noreturn]] static void leave(j_common_ptr info) {
    auto* error = reinterpret_cast<ErrorManager*>(info->err);
    error->base.format_message(info, error->message);
    std::longjmp(error->jump, 1);
  }
  static void ignore_message(j_common_ptr) {}

  jpeg_error_mgr base;
  std::jmp_buf jump;
  char message[JMSG_LENGTH_MAX] = "";
  bool has_invented_end = false;
};

void ignore_source_event(j_decompress_ptr) {}

/// The library's own memory source invents an end marker here and gives a gray rest; a cut file must not pass.
boolean refuse_end(j_decompress_ptr info) {
  auto* error = reinterpret_cast<ErrorManager*>(info->err);
  std::snprintf(error->message, sizeof error->message, "the file ends too early");
  std::longjmp(error->jump, 1);
}

/// While pixels are read an end marker may be missing; what shows that something else is missing, too, is a warning.
boolean invent_end(j_decompress_ptr info) {
  static const JOCTET kEnd[] = {0xff, JPEG_EOI};
  auto* error = reinterpret_cast<ErrorManager*>(info->err);
  if (!error->has_invented_end) error->base.num_warnings = 0;
  error->has_invented_end = true;
  info->src->next_input_byte = kEnd;
  info->src->bytes_in_buffer = sizeof kEnd;
  return TRUE;
}

void skip_bytes(j_decompress_ptr info, long count) {
  if (count <= 0) return;
  if (static_cast<size_t>(count) > info->src->bytes_in_buffer) refuse_end(info);
  info->src->next_input_byte += count;
  info->src->bytes_in_buffer -= static_cast<size_t>(count);
}

/// The library's state. The functions that set a jump hold no object with a destructor.
class JpegReader {
 public:
  JpegReader(std::span<const uint8_t> bytes, const std::string& place) : place_(place) {
    std::memset(&info_, 0, sizeof info_);
    std::memset(&source_, 0, sizeof source_);
    info_.err = &error_.base;
    source_.next_input_byte = bytes.data();
    source_.bytes_in_buffer = bytes.size();
    source_.init_source = ignore_source_event;
    source_.fill_input_buffer = refuse_end;
    source_.skip_input_data = skip_bytes;
    source_.resync_to_restart = jpeg_resync_to_restart;
    source_.term_source = ignore_source_event;
  }
  JpegReader(const JpegReader&) = delete;
  JpegReader& operator=(const JpegReader&) = delete;
  ~JpegReader() { jpeg_destroy_decompress(&info_); }

  const jpeg_decompress_struct& info() const { return info_; }

  void read_header() {
    if (!try_read_header()) fail("cannot read JPEG picture ", place_, ": ", error_.message);
    switch (info_.num_components) {
      case 1: info_.out_color_space = JCS_GRAYSCALE; break;
      case 3: info_.out_color_space = JCS_RGB; break;
      case 4: info_.out_color_space = JCS_CMYK; break;
      default:
        fail("cannot read JPEG picture ", place_, ": found ", info_.num_components,
             " colour components, expected 1, 3 or 4");
    }
  }

  /// `pixels` has room for [height, width, num_components].
  void read_pixels(uint8_t* pixels) {
    if (!try_read_pixels(pixels)) fail("cannot read JPEG picture ", place_, ": ", error_.message);
  }

 private:
  bool try_read_header() {
    if (setjmp(error_.jump)) return false;
    jpeg_create_decompress(&info_);
    info_.src = &source_;
    jpeg_save_markers(&info_, kMetadataMarker, kLongestMarker);
    jpeg_read_header(&info_, TRUE);
    return true;
  }

  bool try_read_pixels(uint8_t* pixels) {
    if (setjmp(error_.jump)) return false;
    // Of several scans, all that is missing could be a scan.
    if (jpeg_has_multiple_scans(&info_) == 0) source_.fill_input_buffer = invent_end;
    jpeg_start_decompress(&info_);
    const size_t row_bytes = size_t{info_.output_width} * static_cast<size_t>(info_.output_components);
    while (info_.output_scanline < info_.output_height) {
      JSAMPROW row = pixels + info_.output_scanline * row_bytes;
      jpeg_read_scanlines(&info_, &row, 1);
    }
    if (error_.has_invented_end && error_.base.num_warnings > 0) refuse_end(&info_);
    jpeg_finish_decompress(&info_);
    return true;
  }

  const std::string& place_;
  jpeg_decompress_struct info_;
  jpeg_source_mgr source_;
  ErrorManager error_;
};

/// The other way round.
class JpegWriter {
 public:
  explicit JpegWriter(const Image& image) : image_(image), file_(num_file_bytes(image)) {
    std::memset(&info_, 0, sizeof info_);
    info_.err = &error_.base;
  }
  JpegWriter(const JpegWriter&) = delete;
  JpegWriter& operator=(const JpegWriter&) = delete;
  ~JpegWriter() { jpeg_destroy_compress(&info_); }

  std::string write() {
    if (!try_write())
      fail("cannot write a picture of ", image_.width, "x", image_.height, " pixels as JPEG: ", error_.message);
    return {reinterpret_cast<const char*>(file_.data()), num_bytes_};
  }

 private:
  /// Enough for every picture of this size, so that the library allocates nothing for it: libjpeg-turbo's own bound.
  static size_t num_file_bytes(const Image& image) {
    return static_cast<size_t>((image.width + 15) / 16 * 16 * ((image.height + 15) / 16 * 16) * 6 + 2048);
  }

  bool try_write() {
    if (setjmp(error_.jump)) return false;
    jpeg_create_compress(&info_);
    num_bytes_ = file_.size();
    begin_ = file_.data();
    jpeg_mem_dest(&info_, &begin_, &num_bytes_);
    info_.image_width = static_cast<JDIMENSION>(image_.width);
    info_.image_height = static_cast<JDIMENSION>(image_.height);
    info_.input_components = 3;
    info_.in_color_space = JCS_RGB;
    jpeg_set_defaults(&info_);
    jpeg_set_quality(&info_, 85, TRUE);
    jpeg_start_compress(&info_, TRUE);
    while (info_.next_scanline < info_.image_height) {
      auto* row = const_cast<JSAMPROW>(image_.rgb.data() + size_t{info_.next_scanline} * info_.image_width * 3);
      jpeg_write_scanlines(&info_, &row, 1);
    }
    jpeg_finish_compress(&info_);
    return true;
  }

  const Image& image_;
  std::vector<unsigned char> file_;
  unsigned char* begin_ = nullptr;
  unsigned long num_bytes_ = 0;
  jpeg_compress_struct info_;
  ErrorManager error_;
};

/// EXIF may be spread over several segments; their contents follow each other.
int read_orientation(const jpeg_decompress_struct& info) {
  constexpr std::string_view kExif("Exif\0\0", 6), kXmp("http://ns.adobe.com/xap/1.0/\0", 29);
  std::vector<uint8_t> exif;
  std::string_view xmp;
  for (jpeg_saved_marker_ptr marker = info.marker_list; marker != nullptr; marker = marker->next) {
    const std::string_view data(reinterpret_cast<const char*>(marker->data), marker->data_length);
    if (data.starts_with(kExif))
      exif.insert(exif.end(), data.begin() + kExif.size(), data.end());
    else if (data.starts_with(kXmp))
      xmp = data.substr(kXmp.size());
  }
  if (const auto orientation = exif_orientation(exif)) return *orientation;
  return xmp_orientation(xmp).value_or(1);
}

/// a * b / 255, rounded, by PIL's integer formula.
int multiply_255(int a, int b) {
  const int product = a * b + 128;
  return ((product >> 8) + product) >> 8;
}

/// CMYK in JPEG is stored inverted by all that write it, with Adobe's marker or without; PIL assumes so too.
void convert_cmyk(const std::vector<uint8_t>& cmyk, std::vector<uint8_t>& rgb) {
  for (size_t pixel = 0; pixel < rgb.size() / 3; ++pixel) {
    const int white = cmyk[pixel * 4 + 3];
    for (size_t channel = 0; channel < 3; ++channel) {
      const int ink = 255 - cmyk[pixel * 4 + channel];
      rgb[pixel * 3 + channel] = static_cast<uint8_t>(white - multiply_255(ink, white));
    }
  }
}

}  // namespace

DecodedImage decode_jpeg(std::span<const uint8_t> bytes, const std::string& place, int64_t max_pixels) {
  JpegReader reader(bytes, place);
  reader.read_header();
  const size_t num_components = static_cast<size_t>(reader.info().num_components);
  DecodedImage decoded;
  decoded.image = allocate_image(reader.info().image_height, reader.info().image_width, place, max_pixels);
  decoded.orientation = read_orientation(reader.info());
  decoded.is_as_shown = num_components != 4;

  std::vector<uint8_t>& rgb = decoded.image.rgb;
  if (num_components == 3) {
    reader.read_pixels(rgb.data());
    return decoded;
  }
  std::vector<uint8_t> pixels(rgb.size() / 3 * num_components);
  reader.read_pixels(pixels.data());
  if (num_components == 4) {
    convert_cmyk(pixels, rgb);
  } else {
    for (size_t i = 0; i < rgb.size(); ++i) rgb[i] = pixels[i / 3];
  }
  return decoded;
}

StoredSize measure_jpeg(std::span<const uint8_t> bytes, const std::string& place, int64_t max_pixels) {
  JpegReader reader(bytes, place);
  reader.read_header();
  const ImageSize size{reader.info().image_height, reader.info().image_width};
  check_size(size.height, size.width, place, max_pixels);
  return {size, read_orientation(reader.info())};
}

std::string encode_jpeg(const Image& image) { return JpegWriter(image).write(); }

}  // namespace vlsi
