// Expected hashes: tests/oracle/make_image_fixtures.py.
#include <gtest/gtest.h>

#include "base/json.h"
#include "picture/picture.h"
#include "tests/picture/test_pictures.h"

namespace vlsi {
namespace {

TEST(ResizeBicubic, EqualsPilByteForByte) {
  const Json cases = read_json(picture_folder() / "resize.json");
  ASSERT_GE(cases.size(), 20u);
  for (const Json& row : cases) {
    const int64_t height = row[2], width = row[3];
    const Image resized = resize_bicubic(noise_image(row[0], row[1]), height, width);
    EXPECT_EQ(resized.height, height);
    EXPECT_EQ(resized.width, width);
    EXPECT_EQ(fnv(std::as_bytes(std::span(resized.rgb))), row[4].get<std::string>()) << row.dump();
  }
}

TEST(ResizeBicubic, KeepsAnEvenColourEven) {
  Image image{31, 17, std::vector<uint8_t>(31 * 17 * 3, 201)};
  for (uint8_t value : resize_bicubic(image, 7, 90).rgb) EXPECT_EQ(value, 201);
}

TEST(Pad, PutsThePictureInTheMiddleWithTheWiderBorderBelowAndAtTheRight) {
  const Image image{1, 2, {1, 2, 3, 4, 5, 6}};
  const auto padded = pad(image, 2, 5, {7, 8, 9});
  EXPECT_EQ(padded.height, 2);
  EXPECT_EQ(padded.width, 5);
  EXPECT_EQ(padded.rgb, (std::vector<uint8_t>{7, 8, 9, 1, 2, 3, 4, 5, 6, 7, 8, 9, 7, 8, 9,  //
                                              7, 8, 9, 7, 8, 9, 7, 8, 9, 7, 8, 9, 7, 8, 9}));
  EXPECT_EQ(pad(image, 1, 2, {7, 8, 9}).rgb, image.rgb);
}

}  // namespace
}  // namespace vlsi
