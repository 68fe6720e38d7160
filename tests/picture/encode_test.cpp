// Pictures on their way into the page.
#include "picture/encode.h"

#include <cmath>

#include "base/base64.h"
#include "picture/picture.h"
#include "tests/support/files.h"
#include "tests/support/read_image.h"

namespace vlsi {
namespace {

const std::filesystem::path kImages = std::filesystem::path(VLSI_TEST_DATA) / "images";

std::string decoded(const std::string& text) { return from_base64(text).value_or("no base64"); }

TEST(Picture, TravelsAsItsFileWhenItIsSmall) {
  for (const auto& [name, type] :
       {std::pair("rgb_8.png", "png"), std::pair("rgb_420.jpg", "jpeg"), std::pair("lossy.webp", "webp")}) {
    const auto path = kImages / name;
    const std::string start = std::string("data:image/") + type + ";base64,";
    const auto uri = picture_uri(path);
    ASSERT_EQ(uri.substr(0, start.size()), start) << name;
    EXPECT_TRUE(decoded(uri.substr(start.size())) == content_of(path)) << name;
  }
}

TEST(Picture, IsShownAsItIsDecoded) {
  const Folder folder;
  for (const char* name : {"orientation_exif.webp", "orientation_xmp.webp", "orientation_xmp.jpg", "orientation_6.jpg",
                           "orientation_exif.png", "rgba_8.png", "rgb_transparent.png", "gray_16.png",
                           "lossy_alpha.webp", "animated.webp", "animated.gif", "cmyk.jpg"}) {
    EXPECT_TRUE(picture_uri(kImages / name) == jpeg_uri(read_image(kImages / name))) << name;
  }
  auto moving = content_of(kImages / "rgb_8.png");
  const std::string control(
      "\0\0\0\x08"
      "acTL"
      "\0\0\0\1"
      "\0\0\0\0"
      "\xb4\x2d\xe9\xa0",
      20);
  moving.insert(33, control);  // behind the header
  write_text(folder / "moving.png", moving);
  EXPECT_TRUE(picture_uri(folder / "moving.png").starts_with("data:image/jpeg"));
}

TEST(Picture, IsShrunkWhenItIsLarge) {
  const Folder folder;
  const auto uri = jpeg_uri(resize_bicubic(read_image(kImages / "rgb_8.png"), 500, 1000));
  const std::string start = "data:image/jpeg;base64,";
  ASSERT_EQ(uri.substr(0, start.size()), start);
  write_text(folder / "large.jpg", decoded(uri.substr(start.size())));
  const auto shrunk = picture_uri(folder / "large.jpg");
  write_text(folder / "shrunk.jpg", decoded(shrunk.substr(start.size())));
  const auto small = read_image(folder / "shrunk.jpg");
  EXPECT_EQ(small.width, 448);
  EXPECT_EQ(small.height, 224);
  // The colours stay those of the picture: 85 % quality moves a smooth picture by a few steps of 255.
  const auto expected = resize_bicubic(read_image(folder / "large.jpg"), 224, 448);
  double sum = 0;
  for (size_t i = 0; i < expected.rgb.size(); ++i) sum += std::abs(int{expected.rgb[i]} - int{small.rgb[i]});
  EXPECT_LT(sum / static_cast<double>(expected.rgb.size()), 4);
}

TEST(Picture, RefusesWhatIsNone) {
  const Folder folder;
  write_text(folder / "evil.png", "<svg onload=alert(1)>");
  expect_error([&] { picture_uri(folder / "evil.png"); }, {"evil.png"});
  expect_error([&] { picture_uri(folder / "absent.png"); }, {"absent.png"});
}

}  // namespace
}  // namespace vlsi
