// What Prometheus is given.
#include "serve/metrics.h"

#include <gtest/gtest.h>

namespace vlsi {
namespace {

TEST(SecondsHistogram, KeepsEveryDigitOfItsSum) {
  SecondsHistogram histogram;
  histogram.add(1234567.5);
  histogram.add(0.25);
  const auto text = histogram.text("seconds", "Of a test.");
  EXPECT_NE(text.find("\nseconds_bucket{le=\"0.3\"} 1\n"), std::string::npos) << text;
  EXPECT_NE(text.find("\nseconds_sum 1234567.75\n"), std::string::npos) << text;
  EXPECT_NE(text.find("\nseconds_count 2\n"), std::string::npos) << text;
}

}  // namespace
}  // namespace vlsi
