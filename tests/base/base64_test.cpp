#include "base/base64.h"

#include <gtest/gtest.h>

namespace vlsi {
namespace {

TEST(Base64, WritesThePaddingOfTheLastGroup) {
  EXPECT_EQ(base64(""), "");
  EXPECT_EQ(base64("f"), "Zg==");
  EXPECT_EQ(base64("fo"), "Zm8=");
  EXPECT_EQ(base64("foobar"), "Zm9vYmFy");
  EXPECT_EQ(base64("\xff\xfe\xfd"), "//79");
}

TEST(Base64, ReadsWhatItWrote) {
  std::string bytes;
  for (int i = 0; i < 256; ++i) {
    EXPECT_EQ(from_base64(base64(bytes)), bytes) << i;
    bytes += static_cast<char>(i * 37);
  }
}

TEST(Base64, ReadsTextInLinesAndWithoutPadding) {
  EXPECT_EQ(from_base64("Zm9v\r\nYm Fy\n"), "foobar");
  EXPECT_EQ(from_base64("Zg"), "f");
  EXPECT_EQ(from_base64("Zm8"), "fo");
}

TEST(Base64, RefusesOtherText) {
  for (const char* text : {"Z", "Zm9vY", "Zm9v.", "Zg=", "Zm8==", "Z===", "Zg==Zg==", "Zm9v=", "a-b_", "Zm9v\xc3\xa9"})
    EXPECT_FALSE(from_base64(text)) << text;
}

}  // namespace
}  // namespace vlsi
