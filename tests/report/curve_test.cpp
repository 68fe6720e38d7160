// Thinned curves: exact while short; ends, extremes and gaps afterwards.
#include "report/curve.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>

namespace vlsi {
namespace {

TEST(Curve, KeepsAShortCurveAsItIs) {
  Curve curve(8);
  for (int x = 1; x <= 8; ++x) curve.add(x, x % 3 == 0 ? std::nullopt : std::optional(0.5 * x));
  EXPECT_EQ(curve.to_json(), OrderedJson::parse(R"({"x":[1,2,3,4,5,6,7,8],"y":[0.5,1.0,null,2.0,2.5,null,3.5,4.0]})"));
}

TEST(Curve, OfNothingHasNoPoints) { EXPECT_EQ(Curve().to_json(), OrderedJson::parse(R"({"x":[],"y":[]})")); }

TEST(Curve, KeepsSixDigits) {
  Curve curve;
  curve.add(1, 1.23456789);
  curve.add(2, 1.23456789e-7);
  EXPECT_EQ(curve.to_json()["y"], OrderedJson::parse("[1.23457,1.23457e-07]"));
}

/// The definition, over all points at once: the ends, and what is lowest and highest among every `width` neighbours.
RC_GTEST_PROP(Curve, KeepsEndsAndExtremesOfAnyLength, ()) {
  const auto values = *rc::gen::nonEmpty(rc::gen::container<std::vector<int>>(rc::gen::inRange(-1000, 1000)));
  const size_t max_buckets = 4;
  Curve curve(max_buckets);
  for (size_t i = 0; i < values.size(); ++i) curve.add(static_cast<double>(i), values[i]);
  const auto json = curve.to_json();
  const auto x = json["x"].get<std::vector<double>>(), y = json["y"].get<std::vector<double>>();

  RC_ASSERT(std::is_sorted(x.begin(), x.end()) && std::adjacent_find(x.begin(), x.end()) == x.end());
  RC_ASSERT(x.size() <= 2 * max_buckets + 2);
  for (size_t i = 0; i < x.size(); ++i) RC_ASSERT(y[i] == values[static_cast<size_t>(x[i])]);
  RC_ASSERT(x.front() == 0);
  RC_ASSERT(x.back() == static_cast<double>(values.size() - 1));
  size_t width = 1;
  while (values.size() > width * max_buckets) width *= 2;
  for (size_t begin = 0; begin < values.size(); begin += width) {
    const auto first = values.begin() + static_cast<int64_t>(begin),
               last = values.begin() + static_cast<int64_t>(std::min(begin + width, values.size()));
    for (const int extreme : {*std::min_element(first, last), *std::max_element(first, last)}) {
      bool found = false;
      for (size_t i = 0; i < x.size(); ++i) {
        found = found ||
                (y[i] == extreme && x[i] >= static_cast<double>(begin) && x[i] < static_cast<double>(begin + width));
      }
      RC_ASSERT(found);
    }
  }
}

TEST(Curve, KeepsAGapAmongManyPoints) {
  Curve curve(16);
  for (int x = 1; x <= 10'000; ++x) curve.add(x, x == 7'777 ? std::nullopt : std::optional(1.0));
  const auto json = curve.to_json();
  const auto x = json["x"].get<std::vector<int>>();
  const auto gap = std::find(x.begin(), x.end(), 7'777);
  ASSERT_NE(gap, x.end());
  EXPECT_TRUE(json["y"][static_cast<size_t>(gap - x.begin())].is_null());
  EXPECT_LE(x.size(), 16 * 2 + 3);
}

}  // namespace
}  // namespace vlsi
