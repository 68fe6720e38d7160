#include "base/size_text.h"

#include <gtest/gtest.h>

namespace vlsi {
namespace {

TEST(SizeText, TakesTheLargestUnitBelowTheSize) {
  EXPECT_EQ(size_text(0), "0 bytes");
  EXPECT_EQ(size_text(1023), "1023 bytes");
  EXPECT_EQ(size_text(1536), "1.5 KiB");
  EXPECT_EQ(size_text(int64_t{3} << 40), "3.0 TiB");
  EXPECT_EQ(size_text(int64_t{5000} << 40), "5000.0 TiB");
}

}  // namespace
}  // namespace vlsi
