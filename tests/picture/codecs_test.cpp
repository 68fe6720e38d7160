// The table of picture formats.
#include "picture/codecs.h"
#include "base/base64.h"

#include "picture/encode.h"
#include "tests/support/files.h"
#include "tests/support/read_image.h"

namespace vlsi {
namespace {

DecodedImage read_toy(std::span<const uint8_t> bytes, const std::string& place, int64_t max_pixels) {
  DecodedImage decoded{allocate_image(1, 2, place, max_pixels), bytes[3] == '!' ? 6 : 1, true};
  for (size_t i = 0; i < 6; ++i) decoded.image.rgb[i] = bytes[4 + i];
  return decoded;
}

StoredSize measure_toy(std::span<const uint8_t>, const std::string&, int64_t) { return {{1, 2}, 6}; }

TEST(PictureCodecs, TakeOneMore) {
  const Folder folder;
  write_text(folder / "toy", "TOY!abcdef");
  expect_error([&] { read_image(folder / "toy"); }, {"toy", "a text file", "expected JPEG, PNG, WebP or GIF"});
  picture_codecs().add({"toy pixels",
                        "image/x-toy",
                        {"toy"},
                        [](std::string_view file) { return file.starts_with("TOY"); },
                        read_toy,
                        measure_toy});
  const auto image = read_image(folder / "toy");
  EXPECT_EQ(image.height, 2) << "turned by its orientation";
  EXPECT_EQ(measure_image(std::as_bytes(std::span(std::string_view("TOY!abcdef"))), "toy"), (ImageSize{2, 1}));
  EXPECT_EQ(std::string(image.rgb.begin(), image.rgb.end()), "abcdef");
  EXPECT_TRUE(is_picture_name("a.b.Toy") && is_picture_name("toy") && is_picture_name("c.JPEG"));
  EXPECT_FALSE(is_picture_name("toys") || is_picture_name("jpeg.txt") || is_picture_name(""));
  EXPECT_TRUE(picture_uri(folder / "toy").starts_with("data:image/jpeg;base64,")) << "no browser would turn it";
  write_text(folder / "toy", "TOY abcdef");
  EXPECT_EQ(picture_uri(folder / "toy"), "data:image/x-toy;base64," + base64("TOY abcdef"));
  write_text(folder / "none", "none");
  expect_error([&] { read_image(folder / "none"); }, {"expected JPEG, PNG, WebP, GIF or toy pixels"});
}

TEST(Jpeg, IsWrittenOfPicturesOfAnySizeAndNoise) {
  for (const auto& [height, width] : {std::pair<int64_t, int64_t>(1, 1), {17, 33}, {300, 7}}) {
    Image image{height, width, std::vector<uint8_t>(static_cast<size_t>(height * width * 3))};
    uint32_t noise = 1;
    for (auto& value : image.rgb) value = static_cast<uint8_t>((noise = noise * 1664525 + 1013904223) >> 24);
    const auto file = encode_jpeg(image);
    const auto read = decode_image(std::as_bytes(std::span(file)), "it");
    EXPECT_EQ(read.height, height);
    EXPECT_EQ(read.width, width);
  }
}

TEST(Jpeg, RefusesPicturesThatNoJpegCanHold) {
  for (int i = 0; i < 3; ++i) {
    expect_error([] { encode_jpeg({}); }, {"cannot write a picture of 0x0 pixels as JPEG", "Empty"});
    const Image wide{1, 70'000, std::vector<uint8_t>(210'000)};
    expect_error([&] { encode_jpeg(wide); }, {"70000x1 pixels", "65500"});
  }
}

}  // namespace
}  // namespace vlsi
