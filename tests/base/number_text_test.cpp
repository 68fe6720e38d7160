#include "base/number_text.h"

#include <gtest/gtest.h>

namespace vlsi {
namespace {

TEST(NumberText, ReadsBackWhatItWrites) {
  for (const double value : {0.0, -1.0, 0.1, 1e-6, 1e300, 1.0 / 3}) EXPECT_EQ(parse_number(number_text(value)), value);
  EXPECT_EQ(number_text(0.1), "0.1");
}

TEST(NumberText, TakesWholeFiniteNumbersAlone) {
  for (const char* text : {"", "1x", " 1", "nan", "inf", "1e999", "+1"})
    EXPECT_EQ(parse_number(text), std::nullopt) << text;
}

}  // namespace
}  // namespace vlsi
