#include "data/picture_source.h"

#include <gtest/gtest.h>

#include "base/base64.h"
#include "base/error.h"

namespace vlsi {
namespace {

const std::string kPng("\x89PNG\r\n\x1a\n\0\0\0\rIHDR and so on", 26);

std::filesystem::path path_of(const std::string& text) {
  const auto content = picture_content(text, "/pictures", "place");
  EXPECT_EQ(content.picture_file, "");
  return content.image;
}

std::string file_of(const std::string& text) { return picture_content(text, "/pictures", "place").picture_file; }

void expect_refused(const std::string& text, const std::string& part) {
  try {
    picture_content(text, "/pictures", "record 3, image");
    ADD_FAILURE() << excerpt(text) << " is taken";
  } catch (const Error& error) {
    const std::string message = error.what();
    EXPECT_EQ(message.find("record 3, image: "), 0U) << message;
    EXPECT_NE(message.find(part), std::string::npos) << message << "\nlacks: " << part;
    EXPECT_EQ(message.find('\n'), std::string::npos) << message;
    EXPECT_LT(message.size(), 300U);
  }
}

TEST(PictureSource, IsAPath) {
  EXPECT_EQ(path_of("a b.png"), "/pictures/a b.png");
  EXPECT_EQ(path_of("/x/100%.png"), "/x/100%.png");
  EXPECT_EQ(path_of("file.png"), "/pictures/file.png");
  EXPECT_EQ(path_of("/9j/4AAQ.jpg"), "/9j/4AAQ.jpg") << "begins as the base64 of a JPEG does";
}

TEST(PictureSource, IsAUriOfAFile) {
  EXPECT_EQ(path_of("file:///x/a%20b%2B%c3%A9.png"), "/x/a b+\xc3\xa9.png");
  EXPECT_EQ(path_of("file://localhost/x/a.png"), "/x/a.png");
  EXPECT_EQ(path_of("FILE:/x/a.png"), "/x/a.png");
  EXPECT_EQ(path_of("file:///x/a%20"), "/x/a ");
  expect_refused("file://server/x/a.png", "names the host 'server', expected file:///");
  expect_refused("file://a.png", "names the host 'a.png'");
  expect_refused("file://localhost", "has no path");
  expect_refused("file:///x/100%.png", "a % stands before no two hexadecimal digits");
  expect_refused("file:///x/a%2", "a % stands before");
  expect_refused("file:///x/a%00b", "NUL");
}

TEST(PictureSource, IsThePictureItself) {
  const auto text = base64(kPng);
  EXPECT_EQ(file_of("data:image/png;base64," + text), kPng);
  EXPECT_EQ(file_of("DATA:;base64," + text), kPng);
  EXPECT_EQ(file_of("data:image/png;BASE64," + text), kPng);
  EXPECT_EQ(file_of("data:;base64,%2B%2f%2B%2F+/A%3D"), "\xfb\xff\xbf\xfb\xf0") << "+/+/+/A=";
  EXPECT_EQ(file_of(text), kPng);
  EXPECT_EQ(file_of(text.substr(0, 24) + "\r\n" + text.substr(24)), kPng);
  const auto one = picture_content(text, "", "p"), other = picture_content(base64(kPng + "."), "", "p");
  EXPECT_NE(one.image, other.image);
  EXPECT_EQ(one.image.string().find("embedded picture "), 0U);
}

TEST(PictureSource, IsNoOtherUrl) {
  expect_refused("https://a.b/c.png", "is the URL 'https://a.b/c.png', expected the path of a picture file");
  expect_refused("s3://bucket/c.png", "pictures are not fetched");
  expect_refused("data:image/png,%89PNG", "expected data:image/...;base64,");
  expect_refused("data:image/png;base64", "expected data:image/...;base64,");
  expect_refused("data:image/png;base64,!" + std::string(5000, 'A'), "is no base64");
  expect_refused("data:image/png;base64,", "holds no bytes");
  expect_refused("data:image/png;base64,AAA%3", "a % stands before no two hexadecimal digits");
  expect_refused("data:image/png;base64,AAA%00", "is no base64");
}

TEST(PictureSource, IsNoTextThatCanBeNoPath) {
  expect_refused("", "is empty");
  expect_refused(std::string("a\0b", 3), "NUL");
  expect_refused("Qk0\n" + std::string(5000, 'A'),
                 "5004 bytes long, is neither the path of a picture nor the base64 of one");
  expect_refused(std::string(300, 'a') + "/b.png", "306 bytes long, is neither");
  std::string deep;
  for (int i = 0; i < 3000; ++i) deep += "a/";
  expect_refused(deep, "6000 bytes long, is neither");
}

}  // namespace
}  // namespace vlsi
