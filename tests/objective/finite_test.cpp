#include "objective/finite.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cmath>

#include "base/error.h"

namespace vlsi {
namespace {

Batch two_samples() {
  Batch batch;
  batch.ids = {"first", "second"};
  batch.answer_starts = {0, 2, 5};
  return batch;
}

TEST(Finite, NamesLayersAsMessagesDo) {
  EXPECT_EQ(layer_names("student", {2, 6}, true),
            (std::vector<std::string>{"student layer 2", "student layer 6", "the student's last layer"}));
  EXPECT_TRUE(layer_names("teacher", {}, false).empty());
}

TEST(Finite, NamesLayerAndSampleOfTheFirstValueThatIsNone) {
  auto values = at::zeros({2, 5});
  const auto names = layer_names("student", {2, 6}, false);
  EXPECT_NO_THROW(check_finite(values, "loss", names, two_samples()));
  values[1][3] = -INFINITY;
  values[1][4] = std::nan("");
  try {
    check_finite(values, "loss", names, two_samples());
    FAIL() << "an infinite value passed";
  } catch (const Error& error) {
    const std::string text = error.what();
    EXPECT_NE(text.find("student layer 6: the loss is -inf at answer token 2 of sample 'second'"), std::string::npos)
        << text;
  }
}

}  // namespace
}  // namespace vlsi
