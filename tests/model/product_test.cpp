// Products of bfloat16 matrices, whichever way this processor takes, and in float32, against float64.
#include "model/product.h"

#include "tests/model/fixtures.h"

namespace vlsi {
namespace {

using fixtures::random;

// Half a unit in the last place of 8 bits, and float32's sums of some 70 products.
constexpr double kRounding = 1.0 / 256 + 1e-5;

void expect_rounded(const at::Tensor& found, const at::Tensor& exact) {
  EXPECT_EQ(found.scalar_type(), at::kBFloat16);
  const auto error = (found.to(at::kDouble) - exact).abs();
  EXPECT_LE((error / (exact.abs() + 1e-3)).max().item<double>(), kRounding);
}

TEST(Product, OfBfloat16IsRoundedOnce) {
  const auto a = random({9, 70}, 1).to(at::kBFloat16), b = random({70, 33}, 2).to(at::kBFloat16);
  const auto exact = at::mm(a.to(at::kDouble), b.to(at::kDouble));
  expect_rounded(product(a, b), exact);
  expect_rounded(product(a, b.t().contiguous().t()), exact);
  auto sum = random({9, 33}, 3).to(at::kBFloat16);
  const auto expected = sum.to(at::kDouble) + 0.5 * exact;
  auto other = sum.clone();
  add_product_in_float32(sum, a, b, 0.5);
  expect_rounded(sum, expected);
  add_product(other, a, b, 0.5);
  EXPECT_LE((other.to(at::kDouble) - expected).abs().max().item<double>(), 0.2);  // a sum that may be rounded twice
}

TEST(Product, OfManyColumnsIsMadeInParts) {
  const auto a = at::ones({1, int64_t{1} << 17}, at::kBFloat16);
  const auto row = random({200}, 4).to(at::kBFloat16);
  auto sum = at::zeros({1, 200}, at::kBFloat16);
  add_product_in_float32(sum, a, row.expand({int64_t{1} << 17, 200}), 1);
  expect_rounded(sum.squeeze(0), row.to(at::kDouble) * (int64_t{1} << 17));
}

TEST(Product, OfLinearMapsHasTheBiasAndGradients) {
  for (const auto dtype : {at::kFloat, at::kBFloat16}) {
    const auto x = random({9, 70}, 1).to(dtype), bias = random({33}, 3).to(dtype);
    const auto weight = random({33, 70}, 2).to(dtype).requires_grad_();
    const auto y = affine(x, weight, bias);
    const auto exact = at::linear(x.to(at::kDouble), weight.detach().to(at::kDouble), bias.to(at::kDouble));
    EXPECT_LE((y.detach().to(at::kDouble) - exact).abs().max().item<double>(), dtype == at::kFloat ? 1e-4 : 0.2);
    y.sum().backward();
    const auto gradient = x.to(at::kDouble).sum(0);  // of every row of the weight
    EXPECT_LE((weight.grad().to(at::kDouble) - gradient).abs().max().item<double>(), dtype == at::kFloat ? 1e-4 : 0.1);
  }
}

}  // namespace
}  // namespace vlsi
