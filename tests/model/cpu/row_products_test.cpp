// Products of few rows, by the kernels of every instruction set that the processor has: against float64, and a row
// alone against the row among others.
#include "model/cpu/row_products.h"

#include <limits>

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

/// What the kernels of quantised weights read of x, in float64.
at::Tensor seen_activations(const at::Tensor& x, const QuantizedWeight& weight) {
  const int64_t width = weight.num_groups() * kGroupWidth;
  auto seen = at::zeros({x.size(0), width}, at::kDouble);
  std::vector<QuantizedGroup> groups(static_cast<size_t>(weight.num_groups()));
  for (int64_t row = 0; row < x.size(0); ++row) {
    const auto numbers = x[row].contiguous();
    quantize_activations(numbers.const_data_ptr<float>(), x.size(1), 8, groups.data());
    auto* to = seen.mutable_data_ptr<double>() + row * width;
    for (const auto& group : groups) {
      for (int64_t i = 0; i < kGroupWidth; ++i, ++to) {
        const int64_t half = i / 64, lane = i % 16, byte = 64 * half + 4 * lane + i % 64 / 16;
        *to = static_cast<double>(group.values[byte]) * static_cast<double>(group.scale[lane]);
      }
    }
  }
  return seen.narrow(1, 0, x.size(1));
}

constexpr Quantization kKinds[] = {Quantization::kInt8, Quantization::kInt4};

TEST(RowProducts, EqualTheFormulaOfQuantisedNumbers) {
  for_each_kernel([](const CpuKernels& kernels, const ProductShape& shape) {
    for (const auto kind : kKinds) {
      const auto x = random({shape.rows, shape.in}, 1), bias = random({shape.out}, 3);
      const auto weight = quantize_weight(random({shape.out, shape.in}, 2), kind);
      const auto expected = exact(seen_activations(x, weight), weight.dequantized(at::kFloat), bias);
      const auto found = row_products(x, {{}, &weight, bias}, at::kFloat, kernels);
      // A lane's products are added as whole numbers; what is left is float32's rounding of the sums and scales.
      EXPECT_LE(difference(found, expected), 4e-7 * static_cast<double>(shape.in) + 2e-6) << text_of(kind);
      const auto half = row_products(x.to(at::kBFloat16), {{}, &weight, bias}, at::kBFloat16, kernels);
      EXPECT_EQ(half.scalar_type(), at::kBFloat16);
    }
  });
}

TEST(RowProducts, SeeActivationsUpToAPartIn254OfTheLargestOfTheirLane) {
  for (const int64_t width : {1, 128, 300}) {
    const auto x = random({3, width}, 1);
    const auto weight = quantize_weight(random({1, width}, 2), Quantization::kInt8);
    const auto error = (seen_activations(x, weight) - x.to(at::kDouble)).abs();
    EXPECT_LE(error.max().item<double>(), x.abs().max().item<double>() / 253);
    EXPECT_LE(error.mean().item<double>(), 0.006);  // half a step of 1.9 / 127 at the most, a quarter in the mean
  }
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
  for (const auto kind : kKinds) {
    for_each_kernel([&](const CpuKernels& kernels, const ProductShape& shape) {
      const auto x = random({shape.rows, shape.in}, 1);
      const auto weight = quantize_weight(random({shape.out, shape.in}, 2), kind);
      const auto together = row_products(x, {{}, &weight}, at::kFloat, kernels);
      for (int64_t row = 0; row < shape.rows; ++row) {
        const auto alone = row_products(x.narrow(0, row, 1), {{}, &weight}, at::kFloat, kernels);
        ASSERT_TRUE(at::equal(alone, together.narrow(0, row, 1))) << "row " << row;
      }
    });
  }
}

TEST(RowProducts, OfSeveralMapsAreThoseOfEach) {
  const auto x = random({3, 200}, 1);
  const auto first = random({33, 200}, 2), second = random({700, 200}, 3), bias = random({700}, 4);
  const RowMap maps[] = {{first}, {second, nullptr, bias}, {first}};
  const auto together = row_products(x, maps, at::kFloat);
  ASSERT_EQ(together.size(), 3U);
  for (size_t i = 0; i < 3; ++i) EXPECT_TRUE(at::equal(together[i], row_products(x, maps[i], at::kFloat)));
}

TEST(RowProducts, KeepANanOrAnInfinityInItsRow) {
  const auto weight = random({6, 140}, 2);
  const auto int8 = quantize_weight(weight, Quantization::kInt8), int4 = quantize_weight(weight, Quantization::kInt4);
  const RowMap maps[] = {{weight.to(at::kBFloat16)}, {{}, &int8}, {{}, &int4}};
  for (const auto& kernels : available_kernels()) {
    for (const auto& map : maps) {
      for (const double number : {std::numeric_limits<double>::quiet_NaN(), std::numeric_limits<double>::infinity()}) {
        SCOPED_TRACE(concat(kernels.name, ", ", number));
        auto x = random({2, 140}, 1).to(at::kBFloat16);
        x[1][139] = number;
        const auto y = row_products(x, map, at::kBFloat16, kernels);
        EXPECT_FALSE(y[1].isfinite().any().item<bool>());
        EXPECT_TRUE(y[0].isfinite().all().item<bool>());
      }
    }
  }
}

TEST(RowProducts, AreForFewRowsOnTheCpuWithoutGradients) {
  const auto x = random({kMaxProductRows, 8}, 1), weight = random({4, 8}, 2);
  EXPECT_TRUE(has_row_products(x, {weight}));
  EXPECT_FALSE(has_row_products(random({kMaxProductRows + 1, 8}, 1), {weight}));
  EXPECT_FALSE(has_row_products(x.to(at::kBFloat16), {weight}));
  EXPECT_FALSE(has_row_products(x.to(at::kDouble), {weight.to(at::kDouble)}));
  const auto learning = weight.clone().set_requires_grad(true);
  EXPECT_FALSE(has_row_products(x, {learning}));
  at::NoGradGuard no_grad;
  EXPECT_TRUE(has_row_products(x, {learning}));
}

}  // namespace
}  // namespace vlsi
