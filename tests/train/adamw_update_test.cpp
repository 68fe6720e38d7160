// AdamW's arithmetic against the formula in float64, and the same on any number of threads.
#include "train/adamw_update.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <gtest/gtest.h>

#include <cmath>

#include "base/parallel.h"

namespace vlsi {
namespace {

constexpr AdamwRates kRates{0.01, 0.9, 0.999, 1e-8, 0.1};

/// Sizes around the chunks that threads work on, with an odd one among them.
std::vector<AdamwTensors> random_tensors() {
  at::manual_seed(7);
  std::vector<AdamwTensors> all;
  double step = 1;
  for (const int64_t size : {1, 7, 65'536, 65'537, 200'003}) {
    all.push_back({at::randn({size}), at::randn({size}) * 3, at::randn({size}), at::rand({size}), step++});
  }
  return all;
}

std::vector<AdamwTensors> copies(const std::vector<AdamwTensors>& all) {
  std::vector<AdamwTensors> copied;
  for (const auto& x : all)
    copied.push_back({x.parameter.clone(), x.gradient.clone(), x.exp_avg.clone(), x.exp_avg_sq.clone(), x.step});
  return copied;
}

TEST(AdamwUpdate, IsTheFormulaInFloat64) {
  const auto before = random_tensors();
  const auto found = copies(before);
  adamw_update(found, kRates, 0.25);
  for (size_t i = 0; i < before.size(); ++i) {
    const auto wide = [](const at::Tensor& x) { return x.to(at::kDouble); };
    const auto g = wide(before[i].gradient) * 0.25;
    const auto m = wide(before[i].exp_avg) * 0.9 + g * 0.1;
    const auto v = wide(before[i].exp_avg_sq) * 0.999 + g * g * 0.001;
    const double correction1 = 1 - std::pow(0.9, before[i].step), correction2 = 1 - std::pow(0.999, before[i].step);
    const auto p =
        wide(before[i].parameter) * (1 - 0.01 * 0.1) - 0.01 * (m / correction1) / ((v / correction2).sqrt() + 1e-8);
    // A handful of float32 roundings of numbers up to five; a moment near nothing divides by a small root.
    const auto expect_near = [&](const at::Tensor& a, const at::Tensor& b) {
      EXPECT_TRUE(at::allclose(wide(a), b, 3e-6, 1e-6)) << i;
    };
    expect_near(found[i].exp_avg, m);
    expect_near(found[i].exp_avg_sq, v);
    expect_near(found[i].parameter, p);
    EXPECT_TRUE(at::equal(found[i].gradient, before[i].gradient));
  }
}

TEST(AdamwUpdate, IsTheSameOnAnyNumberOfThreads) {
  const int64_t threads = num_threads();
  const auto alone = random_tensors(), together = copies(alone);
  at::set_num_threads(1);
  const double norm = gradient_norm(alone);
  adamw_update(alone, kRates, 1);
  at::set_num_threads(3);
  EXPECT_EQ(gradient_norm(together), norm);
  adamw_update(together, kRates, 1);
  at::set_num_threads(static_cast<int>(threads));
  for (size_t i = 0; i < alone.size(); ++i) EXPECT_TRUE(at::equal(alone[i].parameter, together[i].parameter)) << i;
}

TEST(GradientNorm, IsThatOfAllGradientsTogether) {
  const auto all = random_tensors();
  double sum = 0;
  for (const auto& tensors : all) sum += tensors.gradient.to(at::kDouble).square().sum().item<double>();
  EXPECT_NEAR(gradient_norm(all), std::sqrt(sum), 1e-12 * std::sqrt(sum)) << "float64 sums of some 300,000 squares";
  EXPECT_EQ(gradient_norm({}), 0);
}

TEST(AdamwTensors, ArePlainWhenTheyAreContiguousFloat32) {
  auto tensors = random_tensors().back();
  EXPECT_TRUE(is_plain(tensors));
  auto strided = tensors;
  strided.gradient = at::randn({200'003, 2}).select(1, 0);
  EXPECT_FALSE(is_plain(strided));
  auto narrow = tensors;
  narrow.exp_avg = narrow.exp_avg.to(at::kBFloat16);
  EXPECT_FALSE(is_plain(narrow));
}

}  // namespace
}  // namespace vlsi
