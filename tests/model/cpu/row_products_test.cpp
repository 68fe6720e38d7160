// Products of few rows, by the kernels of every instruction set that the processor has: against float64, and a row
// alone against the row among others.
#include "model/cpu/row_products.h"

#include "base/error.h"
#include "tests/model/fixtures.h"

namespace vlsi {
namespace {

using fixtures::difference;
using fixtures::random;

struct ProductShape {
  int64_t rows, in, out;
};

/// Widths that end inside a vector of any size, outputs that end inside a tile, rows on both sides of what a tile and
/// one reading of the weight hold; the last ones are worth two threads.
constexpr ProductShape kProductShapes[] = {{1, 1, 1},    {1, 7, 5},     {2, 33, 4},    {3, 64, 9},
                                           {5, 100, 21}, {17, 129, 34}, {37, 48, 130}, {16, 1000, 300}};

/// x Wᵀ + b in float64.
at::Tensor exact(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias) {
  const auto wide = [](const at::Tensor& tensor) { return tensor.to(at::kDouble); };
  auto y = at::mm(wide(x), wide(weight).t());
  return bias.defined() ? y + wide(bias) : y;
}

/// Calls check(kernels, shape) for all of both.
template <class Check>
void for_each_kernel(const Check& check) {
  for (const auto& kernels : available_kernels()) {
    for (const auto& shape : kProductShapes) {
      SCOPED_TRACE(concat(kernels.name, ": ", shape.rows, " rows, ", shape.in, " to ", shape.out));
      check(kernels, shape);
    }
  }
}

TEST(RowProducts, EqualTheFormulaInFloat32) {
  for_each_kernel([](const CpuKernels& kernels, const ProductShape& shape) {
    const auto x = random({shape.rows, shape.in}, 1), weight = random({shape.out, shape.in}, 2);
    const auto bias = random({shape.out}, 3);
    // Sums of up to 1,000 products near 1 reach 100; each addition rounds by 2^-24 of that.
    const double tolerance = 2e-7 * static_cast<double>(shape.in) + 1e-6;
    EXPECT_LE(difference(row_products(x, weight, bias, at::kFloat, kernels), exact(x, weight, bias)), tolerance);
    EXPECT_LE(difference(row_products(x, weight, {}, at::kFloat, kernels), exact(x, weight, {})), tolerance);
  });
}

TEST(RowProducts, EqualTheFormulaInBfloat16) {
  for_each_kernel([](const CpuKernels& kernels, const ProductShape& shape) {
    const auto half = [&](at::IntArrayRef sizes, uint64_t seed) { return random(sizes, seed).to(at::kBFloat16); };
    const auto x = half({shape.rows, shape.in}, 1), weight = half({shape.out, shape.in}, 2),
               bias = half({shape.out}, 3);
    const auto expected = exact(x, weight, bias);
    // Products of two bfloat16 numbers are exact in float32: the tolerance of the sums is float32's.
    const double tolerance = 2e-7 * static_cast<double>(shape.in) + 1e-6;
    EXPECT_LE(difference(row_products(x, weight, bias, at::kFloat, kernels), expected), tolerance);
    const auto rounded = row_products(x, weight, bias, at::kBFloat16, kernels);
    ASSERT_EQ(rounded.scalar_type(), at::kBFloat16);
    // A bfloat16 number is off by at most 2^-8 of itself.
    EXPECT_LE(difference(rounded, expected), expected.abs().max().item<double>() / 256 + tolerance);
  });
}

TEST(RowProducts, AreTheSameBitForBitWhateverRowsAreBeside) {
  for (const auto dtype : {at::kFloat, at::kBFloat16}) {
    for_each_kernel([&](const CpuKernels& kernels, const ProductShape& shape) {
      const auto x = random({shape.rows, shape.in}, 1).to(dtype), weight = random({shape.out, shape.in}, 2).to(dtype);
      const auto together = row_products(x, weight, {}, at::kFloat, kernels);
      for (int64_t row = 0; row < shape.rows; ++row) {
        const auto alone = row_products(x.narrow(0, row, 1), weight, {}, at::kFloat, kernels);
        ASSERT_TRUE(at::equal(alone, together.narrow(0, row, 1))) << "row " << row;
      }
    });
  }
}

TEST(RowProducts, KeepANan) {
  for (const auto& kernels : available_kernels()) {
    SCOPED_TRACE(kernels.name);
    auto x = random({2, 40}, 1).to(at::kBFloat16);
    x[1][39] = std::nan("");
    const auto y = row_products(x, random({6, 40}, 2).to(at::kBFloat16), {}, at::kBFloat16, kernels);
    EXPECT_TRUE(y[1].isnan().all().item<bool>());
    EXPECT_FALSE(y[0].isnan().any().item<bool>());
  }
}

TEST(RowProducts, AreForFewRowsOnTheCpuWithoutGradients) {
  const auto x = random({kMaxProductRows, 8}, 1), weight = random({4, 8}, 2);
  EXPECT_TRUE(has_row_products(x, weight));
  EXPECT_FALSE(has_row_products(random({kMaxProductRows + 1, 8}, 1), weight));
  EXPECT_FALSE(has_row_products(x.to(at::kBFloat16), weight));
  EXPECT_FALSE(has_row_products(x.to(at::kDouble), weight.to(at::kDouble)));
  const auto learning = weight.clone().set_requires_grad(true);
  EXPECT_FALSE(has_row_products(x, learning));
  at::NoGradGuard no_grad;
  EXPECT_TRUE(has_row_products(x, learning));
}

}  // namespace
}  // namespace vlsi
