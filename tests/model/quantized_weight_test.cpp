// Weights in 8 and 4 bits: how far they are from what they stand for, and what is left of the parameter.
#include "model/quantized_weight.h"

#include "base/error.h"
#include "tests/model/fixtures.h"

namespace vlsi {
namespace {

using fixtures::random;

double relative_error(const at::Tensor& found, const at::Tensor& expected) {
  return ((found - expected).norm() / expected.norm()).item<double>();
}

TEST(QuantizedWeight, InEightBitsIsOffByHalfAStepOfItsChannel) {
  for (const int64_t width : {1, 16, 128, 300}) {
    const auto weight = random({5, width}, 1);
    const auto found = quantize_weight(weight, Quantization::kInt8).dequantized(at::kFloat);
    const auto step = std::get<0>(weight.abs().max(1, /*keepdim=*/true)) / 127;
    // Half a step, and float32's rounding of the number divided by it.
    EXPECT_TRUE(((found - weight).abs() <= step * 0.5001).all().item<bool>()) << width;
  }
}

TEST(QuantizedWeight, InFourBitsIsOffByHalfAStepOfItsGroupInTheMean) {
  const auto weight = random({64, 1024}, 1);
  const auto found = quantize_weight(weight, Quantization::kInt4);
  // Normal numbers, of 128 the largest near 2.6 σ: a step of 2.6 / 8 and an error of step / √12 would be 0.094.
  EXPECT_LE(relative_error(found.dequantized(at::kFloat), weight), 0.1);
  const auto eight = quantize_weight(weight, Quantization::kInt8).dequantized(at::kFloat);
  EXPECT_LE(relative_error(eight, weight), 0.009);  // of 1,024 the largest near 3.3 σ: 3.3 / 127 / √12 = 0.0075
}

TEST(QuantizedWeight, KeepsNumbersOnItsGridAsTheyAre) {
  for (const auto kind : {Quantization::kInt8, Quantization::kInt4}) {
    const int64_t lowest = kind == Quantization::kInt8 ? -127 : -8;
    auto weight = at::arange(0, 3 * 200, at::kFloat).mul(7).remainder(-2 * lowest - 1).add(lowest).view({3, 200}) / 4;
    weight.select(1, 0).fill_(static_cast<double>(lowest) / 4);
    weight.select(1, 150).fill_(static_cast<double>(lowest) /
                                4);  // each group has the number that its scale comes from
    const auto found = quantize_weight(weight, kind);
    EXPECT_TRUE(at::equal(found.dequantized(at::kFloat), weight)) << text_of(kind);
    EXPECT_TRUE(at::equal(found.dequantized(at::kBFloat16), weight.to(at::kBFloat16))) << text_of(kind);
    EXPECT_TRUE(at::equal(found.dequantized(at::kFloat, 1, 2), weight.narrow(0, 1, 1))) << text_of(kind);
    EXPECT_TRUE(at::equal(quantize_weight(weight.to(at::kBFloat16), kind).values, found.values)) << text_of(kind);
    EXPECT_EQ(found.num_bytes(), quantized_bytes(3, 200, kind));
    const auto zeros = quantize_weight(at::zeros({2, 30}), kind).dequantized(at::kFloat);
    EXPECT_TRUE(at::equal(zeros, at::zeros({2, 30})));
  }
}

TEST(QuantizedWeight, LeavesAParameterThatCannotBeReadByAccident) {
  const auto nothing = without_values(at::ones({3, 2}, at::kBFloat16));
  EXPECT_FALSE(has_values(nothing));
  EXPECT_TRUE(has_values(at::ones({3, 2})));
  EXPECT_EQ(nothing.sizes(), at::IntArrayRef({3, 2}));
  EXPECT_EQ(nothing.scalar_type(), at::kBFloat16);
  EXPECT_THROW(nothing.to(at::kFloat), c10::Error);
}

}  // namespace
}  // namespace vlsi
