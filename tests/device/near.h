// Numbers of a run on the stand-in device beside those of the CPU.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <string>

#include "base/error.h"
#include "base/json.h"

namespace vlsi::device_test {

/// Numbers, or lists of them, that agree to 1e-6 of their size, or of the least `size`: float32 sums of a few hundred
/// terms in another order.
template <class AnyJson>
void expect_near(const AnyJson& found, const AnyJson& wanted, const std::string& what, double size = 1) {
  if (wanted.is_structured()) {
    ASSERT_EQ(found.size(), wanted.size()) << what;
    auto own = found.begin();
    for (auto expected = wanted.begin(); expected != wanted.end(); ++expected, ++own)
      expect_near(*own, *expected, what, size);
    return;
  }
  if (!wanted.is_number()) {
    EXPECT_EQ(found, wanted) << what;
    return;
  }
  const double value = wanted.template get<double>();
  EXPECT_NEAR(found.template get<double>(), value, 1e-6 * std::max(size, std::abs(value))) << what;
}

/// Lines of metrics.jsonl, but for their times.
template <class Lines>
void expect_near_lines(const Lines& found, const Lines& wanted) {
  ASSERT_EQ(found.size(), wanted.size());
  for (size_t i = 0; i < found.size(); ++i) {
    EXPECT_EQ(found[i].size(), wanted[i].size());
    const double size =
        wanted[i].at("step") == "interact" ? 6 : 1;  // a KL is the difference of cross entropies near six
    for (const auto& [key, value] : wanted[i].items()) {
      ASSERT_TRUE(found[i].contains(key)) << key;
      if (key != "seconds") expect_near(found[i].at(key), value, concat("line ", i + 1, ", ", key), size);
    }
  }
}

}  // namespace vlsi::device_test
