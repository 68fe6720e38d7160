#include "data/read_picture.h"

#include <gtest/gtest.h>

#include "base/base64.h"
#include "data/picture_source.h"
#include "tests/support/errors.h"
#include "tests/support/files.h"
#include "tests/support/read_image.h"

namespace vlsi {
namespace {

const std::filesystem::path kPicture = std::filesystem::path(VLSI_TEST_DATA) / "images/rgb_8.png";

TEST(ReadPicture, ReadsAFileOrWhatTheRecordHolds) {
  const auto wanted = read_image(kPicture);
  const auto held = picture_content(base64(content_of(kPicture)), "", "place");
  for (const auto& content : {Content{Content::Kind::kImage, {}, kPicture}, held}) {
    const auto image = read_picture(content, "");
    EXPECT_EQ(image.height, wanted.height);
    EXPECT_EQ(image.rgb, wanted.rgb);
  }
}

TEST(ReadPicture, NamesThePictureOnOneLine) {
  Content content{Content::Kind::kImage, {}, "/nowhere/no\nsuch.png"};
  EXPECT_EQ(name_of_picture(content), "/nowhere/no\\x0asuch.png");
  expect_error([&] { read_picture(content, "/nowhere"); }, {"there is no picture /nowhere/no\\x0asuch.png;"});
  expect_error([&] { read_picture(content, ""); }, {"open /nowhere/no\\x0asuch.png: "});
  const Folder folder;
  content.image = folder / "no\npicture.png";
  write_text(content.image, "text");
  expect_error([&] { read_picture(content, ""); }, {"no\\x0apicture.png: found a text file"});
  expect_error([&] { read_picture(picture_content("data:image/bmp;base64,Qk0=", "", "p"), ""); },
               {"cannot read picture embedded picture ", ": found a BMP picture"});
}

}  // namespace
}  // namespace vlsi
