// Expected pixels: tests/oracle/make_image_fixtures.py.
#include "picture/picture.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <string_view>

#include "base/error.h"
#include "picture/exif.h"
#include "tests/picture/test_pictures.h"
#include "tests/support/files.h"
#include "tests/support/read_image.h"

namespace vlsi {
namespace {

namespace fs = std::filesystem;

/// The fixtures that have expected pixels, sorted.
std::vector<fs::path> pictures() {
  std::vector<fs::path> paths;
  for (const auto& entry : fs::directory_iterator(picture_folder())) {
    if (entry.path().extension() == ".ppm") paths.push_back(fs::path(entry.path()).replace_extension());
  }
  std::sort(paths.begin(), paths.end());
  return paths;
}

std::string decoding_error(const std::string& file, int64_t max_pixels = kMostImagePixels) {
  try {
    decode_image(as_bytes(file), "here.jpg", max_pixels);
  } catch (const Error& error) {
    return error.what();
  }
  return "no error";
}

void expect_decoding_error(const std::string& file, std::string_view part) {
  const std::string error = decoding_error(file);
  EXPECT_NE(error.find(part), std::string::npos) << error;
  EXPECT_NE(error.find("here.jpg"), std::string::npos) << error;
}

ImageSize size_of(const Image& image) { return {image.height, image.width}; }

uint32_t crc32(std::string_view bytes) {
  uint32_t crc = 0xffffffff;
  for (unsigned char byte : bytes) {
    crc ^= byte;
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ ((crc & 1) != 0 ? 0xedb88320 : 0);
  }
  return ~crc;
}

std::string big_endian(uint32_t value) {
  std::string text;
  for (int shift = 24; shift >= 0; shift -= 8) text += static_cast<char>(value >> shift);
  return text;
}

std::string png_chunk(const std::string& kind, const std::string& data) {
  return big_endian(static_cast<uint32_t>(data.size())) + kind + data + big_endian(crc32(kind + data));
}

std::vector<uint8_t> exif_block(uint8_t type, uint8_t count, uint8_t value) {
  return {'M', 'M', 0, '*', 0, 0, 0, 8, 0, 1, 0x01, 0x12, 0, type, 0, 0, 0, count, 0, value, 0, 0, 0, 0, 0, 0};
}

TEST(Image, EqualsPilOnEveryKindOfPicture) {
  const auto paths = pictures();
  EXPECT_GE(paths.size(), 50u);
  for (const auto& path : paths) {
    const Image expected = read_ppm(path.string() + ".ppm"), found = read_image(path);
    EXPECT_EQ(found.height, expected.height) << path;
    EXPECT_EQ(found.width, expected.width) << path;
    ASSERT_EQ(found.rgb.size(), expected.rgb.size()) << path;
    const auto differing = std::mismatch(found.rgb.begin(), found.rgb.end(), expected.rgb.begin());
    if (differing.first == found.rgb.end()) continue;
    ADD_FAILURE() << path << " differs at byte " << differing.first - found.rgb.begin() << ": " << int{*differing.first}
                  << " instead of " << int{*differing.second};
  }
}

TEST(Image, HasTheSizeThatItsHeadersSay) {
  for (const auto& path : pictures()) {
    EXPECT_EQ(measure_image(as_bytes(read_text(path)), path.string()), size_of(read_image(path))) << path;
  }
  const std::string file = read_text(picture_folder() / "rgb_444.jpg");
  EXPECT_EQ(measure_image(as_bytes(file.substr(0, file.size() - 20)), "cut"),
            size_of(read_image(picture_folder() / "rgb_444.jpg")))
      << "pixels are not looked at";
  EXPECT_THROW(measure_image(as_bytes(file), "large", 100), Error);
  EXPECT_THROW(measure_image(as_bytes(file.substr(0, 20)), "cut"), Error);
  EXPECT_THROW(measure_image(as_bytes("text"), "text"), Error);
}

TEST(Image, IsReadByContentNotByExtension) {
  const Folder folder;
  const auto path = folder / "a.jpg";
  fs::copy_file(picture_folder() / "rgb_8.png", path);
  EXPECT_EQ(read_image(path).rgb, read_ppm(picture_folder() / "rgb_8.png.ppm").rgb);
}

TEST(Image, IsWholeOrRefusedWhereItIsCutAnywhere) {
  for (const auto& path : pictures()) {
    const std::string file = read_text(path);
    const Image whole = read_image(path);
    // Only these kinds can have all pixels before the file's end.
    const bool may_be_whole = path.extension() != ".webp";
    int num_whole = 0;
    for (size_t size = 0; size < file.size(); size += size + 16 < file.size() ? 5 : 1) {
      try {
        const Image image = decode_image(as_bytes(file.substr(0, size)), "cut");
        EXPECT_TRUE(image.rgb == whole.rgb) << path << " cut to " << size;
        EXPECT_EQ(measure_image(as_bytes(file.substr(0, size)), "cut"), size_of(whole)) << path << " cut to " << size;
        ++num_whole;
      } catch (const Error&) {
      }
    }
    EXPECT_LE(num_whole > 0, may_be_whole) << path;
  }
}

TEST(Jpeg, NeedsNoEndMarkerWhereAllRowsAreThere) {
  for (const char* name : {"rgb_444.jpg", "rgb_420.jpg", "gray.jpg", "cmyk.jpg", "rgb_restart_markers.jpg"}) {
    const std::string file = read_text(picture_folder() / name);
    ASSERT_TRUE(file.ends_with("\xff\xd9")) << name;
    const auto rgb = read_image(picture_folder() / name).rgb;
    for (const size_t cut : {1, 2})
      EXPECT_EQ(decode_image(as_bytes(file.substr(0, file.size() - cut)), "unended").rgb, rgb) << name;
    expect_decoding_error(file.substr(0, file.size() - 8), "the file ends too early");
  }
  const std::string progressive = read_text(picture_folder() / "rgb_progressive.jpg");
  expect_decoding_error(progressive.substr(0, progressive.size() - 2), "the file ends too early");
}

TEST(Png, NeedsNoLastChunkWhereAllRowsAreThere) {
  constexpr size_t kEndBytes = 12;
  for (const char* name : {"rgb_8.png", "palette_8.png", "gray_1.png", "rgba_interlaced.png", "orientation_exif.png"}) {
    const std::string file = read_text(picture_folder() / name);
    ASSERT_EQ(file.substr(file.size() - kEndBytes + 4, 4), "IEND") << name;
    const auto whole = read_image(picture_folder() / name);
    for (const size_t cut : {size_t{1}, size_t{4}, size_t{6}, kEndBytes}) {
      const auto text = file.substr(0, file.size() - cut);
      EXPECT_EQ(decode_image(as_bytes(text), "unended").rgb, whole.rgb) << name << " without " << cut;
      EXPECT_EQ(measure_image(as_bytes(text), "unended"), size_of(whole)) << name << " without " << cut;
    }
    expect_decoding_error(file.substr(0, file.size() - kEndBytes - 30), "the file ends too early");
  }
  // Its orientation stands in the chunk that is cut.
  const std::string turned = read_text(picture_folder() / "orientation_raw_behind.png");
  for (const size_t left : {size_t{5}, size_t{8}, size_t{40}}) {
    expect_decoding_error(turned.substr(0, turned.rfind("tEXt") - 4 + left), "the file ends too early");
  }
}

TEST(Gif, IsRefusedWhereItIsBroken) {
  const std::string file = read_text(picture_folder() / "palette.gif");
  const size_t frame = file.find(',', 13 + 48);
  expect_decoding_error(file.substr(0, 13 + 48) + ";", "found no frame");
  expect_decoding_error(file.substr(0, 20), "cannot read GIF picture");
  expect_decoding_error(file.substr(0, frame + 60), "cannot read GIF picture");
  std::string empty = file, huge = file, wrong = file;
  empty.replace(frame + 5, 2, 2, '\0');
  expect_decoding_error(empty, "its first frame has 0x17 pixels");
  huge.replace(frame + 5, 4, 4, '\xff');
  expect_decoding_error(huge, "65535x65535 pixels");
  wrong[frame + 10] = 13;  // bits of a code
  expect_decoding_error(wrong, "cannot read GIF picture");
}

TEST(WebP, OfABrokenAnimationIsRefused) {
  std::string file = read_text(picture_folder() / "animated_offset.webp");
  const size_t pixels = file.find("VP8L");
  ASSERT_NE(pixels, std::string::npos);
  file[pixels + 8] = 0;
  expect_decoding_error(file, "the animation's first frame is broken");
}

TEST(Image, DamagedBytesGiveAPictureOrAnErrorAndNothingElse) {
  for (const auto& path : pictures()) {
    const std::string file = read_text(path);
    for (uint32_t trial = 0; trial < 40; ++trial) {
      std::string damaged = file;
      const auto random = noise(8, trial * 977 + static_cast<uint32_t>(file.size()));
      for (size_t i = 0; i < 6; i += 3) damaged[(random[i] << 8 | random[i + 1]) % file.size()] = random[i + 2];
      try {
        const Image image = decode_image(as_bytes(damaged), "damaged", 1 << 16);
        EXPECT_EQ(image.rgb.size(), static_cast<size_t>(image.height * image.width * 3));
        EXPECT_EQ(measure_image(as_bytes(damaged), "damaged", 1 << 16), size_of(image))
            << path << " in trial " << trial;
      } catch (const Error&) {
      }
    }
  }
}

TEST(Image, NamesTheFormatOfWhatIsNoPicture) {
  expect_decoding_error("", "an empty file");
  expect_decoding_error("not a picture\n", "a text file");
  expect_decoding_error("BM\1\2\3", "a BMP picture");
  expect_decoding_error(std::string("II*\0\1", 5), "a TIFF picture");
  expect_decoding_error(std::string("\0\0\0\x20"
                                    "ftypheic",
                                    12),
                        "a HEIC picture");
  expect_decoding_error("<!DOCTYPE html><html>404</html>", "an HTML page");
  expect_decoding_error("version https://git-lfs.github.com/spec/v1\n", "a Git LFS pointer");
  expect_decoding_error("\1\2\3\4\5", "bytes of no known picture format");
}

TEST(Image, RefusesTooManyPixelsBeforeItAllocatesThem) {
  std::string jpeg = read_text(picture_folder() / "rgb_444.jpg");
  const size_t frame = jpeg.find("\xff\xc0");
  jpeg.replace(frame + 5, 4, "\xfd\xe8\xfd\xe8");
  expect_decoding_error(jpeg, "65000x65000 pixels");

  std::string header = big_endian(2'000'000'000) + big_endian(2'000'000'000) + std::string("\x08\2\0\0\0", 5);
  expect_decoding_error("\x89PNG\r\n\x1a\n" + png_chunk("IHDR", header) + png_chunk("IDAT", ""),
                        "2000000000x2000000000 pixels");

  std::string webp = read_text(picture_folder() / "lossless.webp");
  ASSERT_EQ(webp.substr(12, 4), "VP8L");
  webp.replace(21, 4, "\xff\xff\xff\x0f");
  expect_decoding_error(webp, "16384x16384 pixels");

  EXPECT_EQ(decoding_error(read_text(picture_folder() / "rgb_8.png"), 23 * 17), "no error");
  EXPECT_NE(decoding_error(read_text(picture_folder() / "rgb_8.png"), 23 * 17 - 1).find("at most 390"),
            std::string::npos);
}

TEST(Image, RefusesAMissingFile) { EXPECT_THROW(read_image(picture_folder() / "absent.jpg"), Error); }

TEST(Exif, ReadsOrientationsThatAreIntegersToPil) {
  EXPECT_EQ(exif_orientation(exif_block(3, 1, 6)), 6);
  EXPECT_EQ(exif_orientation(exif_block(3, 2, 6)), std::nullopt);
  EXPECT_EQ(exif_orientation(exif_block(2, 1, 6)), std::nullopt);
  EXPECT_EQ(exif_orientation(exif_block(3, 1, 9)), std::nullopt);
  EXPECT_EQ(exif_orientation(exif_block(8, 1, 6)), 6);
  for (const uint8_t type : {4, 9}) {
    auto wide = exif_block(type, 1, 0);
    wide[21] = 8;
    EXPECT_EQ(exif_orientation(wide), 8);
  }
  for (const uint8_t type : {1, 6, 7}) {
    auto narrow = exif_block(type, 1, 0);
    narrow[18] = 3;
    EXPECT_EQ(exif_orientation(narrow), type == 6 ? std::optional(3) : std::nullopt) << "a BYTE is no number to PIL";
    narrow[18] = 0xfe;
    EXPECT_EQ(exif_orientation(narrow), std::nullopt) << "-2";
  }
  auto negative = exif_block(8, 1, 0xfe);
  negative[18] = 0xff;
  EXPECT_EQ(exif_orientation(negative), std::nullopt) << "-2";
}

TEST(Exif, IsIgnoredWhereItIsBroken) {
  const auto block = exif_block(3, 1, 6);
  for (size_t size = 0; size < 20; ++size) EXPECT_EQ(exif_orientation(std::span(block).first(size)), std::nullopt);
  auto far_directory = block;
  std::fill_n(far_directory.begin() + 4, 4, 0xff);
  EXPECT_EQ(exif_orientation(far_directory), std::nullopt);
}

TEST(Exif, IsReadFromARawProfile) {
  EXPECT_EQ(raw_profile("\nexif\n       3\n4d4D\n 00\n"), (std::vector<uint8_t>{0x4d, 0x4d, 0}));
  for (const char* broken : {"", "\nexif\n", "\nexif\n 3\n4d4", "\nexif\n 3\n4g", "4d4d00"})
    EXPECT_TRUE(raw_profile(broken).empty()) << broken;
}

TEST(Exif, FindsTheOrientationOfXmp) {
  EXPECT_EQ(xmp_orientation("<a tiff:Orientation=\"6\"/>"), 6);
  EXPECT_EQ(xmp_orientation("<tiff:Orientation>3</tiff:Orientation>"), 3);
  EXPECT_EQ(xmp_orientation("tiff:Orientation= tiff:Orientation=\"x"), std::nullopt);
  EXPECT_EQ(xmp_orientation("tiff:Orientation=\""), std::nullopt);
}

}  // namespace
}  // namespace vlsi
