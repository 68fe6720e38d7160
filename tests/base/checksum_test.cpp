#include "base/checksum.h"

#include "tests/support/files.h"

namespace vlsi {
namespace {

uint64_t checksum_of(std::string_view text, uint64_t seed = 0) {
  Checksum checksum(seed);
  checksum.update(text);
  return checksum.value();
}

// Published values of XXH3's 64-bit variant.
TEST(Checksum, IsXxh3) {
  EXPECT_EQ(hexadecimal(checksum_of("")), "2d06800538d394c2");
  EXPECT_EQ(hexadecimal(checksum_of("abc")), "78af5f94892f3950");
}

TEST(Checksum, DoesNotDependOnThePieces) {
  std::string text;
  for (int i = 0; i < 5000; ++i) text += static_cast<char>(i * 7);
  Checksum checksum;
  for (size_t at = 0, size = 1; at < text.size(); at += size, size = size * 3 % 1001) {
    checksum.update(std::string_view(text).substr(at, size));
  }
  EXPECT_EQ(checksum.value(), checksum_of(text));
}

TEST(Checksum, DependsOnTheSeed) { EXPECT_NE(checksum_of("abc", 1), checksum_of("abc")); }

TEST(Checksum, OfAFileIsThatOfItsBytes) {
  const Folder folder;
  const auto path = folder.write("file", "abc");
  EXPECT_EQ(checksum_of_file(path), "78af5f94892f3950");
  std::filesystem::remove(path);
  EXPECT_THROW(checksum_of_file(path), Error);
}

TEST(Hexadecimal, HasSixteenDigits) { EXPECT_EQ(hexadecimal(0xAB), "00000000000000ab"); }

}  // namespace
}  // namespace vlsi
