// The bfloat16 pass on the CPU, with each of its matrix products, against float64.
#include "objective/cpu/vocabulary_pass.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <gtest/gtest.h>

#include <cmath>

#include "tests/objective/near.h"

namespace vlsi {
namespace {

using MakeProducts = std::unique_ptr<TileProducts> (*)(const HeadPassInput&);

class VocabularyPass : public testing::TestWithParam<std::pair<const char*, MakeProducts>> {
 protected:
  void SetUp() override {
    if (!has_avx512_bf16()) GTEST_SKIP() << "this processor has no AVX512-BF16";
  }
  HeadSummary summarize(const at::Tensor& u, const at::Tensor& head, const at::Tensor& rows) const {
    const auto input = head_pass_input(u, head, rows);
    EXPECT_TRUE(has_tile_products(input));
    return summarize_vocabulary(input, *GetParam().second(input));
  }
};

HeadSummary in_float64(const at::Tensor& u, const at::Tensor& head, const at::Tensor& rows) {
  const auto found = head_summary_plain(u.unsqueeze(0).to(at::kDouble), head.to(at::kDouble), rows.to(at::kDouble));
  return {found.logsumexp[0], found.expected_row[0], found.entropy[0]};
}

at::Tensor bfloat16(at::IntArrayRef shape, uint64_t seed, double scale = 1) {
  return (random_tensor(shape, seed, at::kFloat) * scale).to(at::kBFloat16);
}

// A last tile of 452 rows, a last block of two positions, and widths that fill no panel.
TEST_P(VocabularyPass, IsTheDefinition) {
  const auto u = bfloat16({98, 64}, 1), head = bfloat16({2500, 64}, 2, 0.5), rows = bfloat16({2500, 80}, 3);
  const auto found = summarize(u, head, rows), expected = in_float64(u, head, rows);
  // 64 products a logit of size ten, then 2,500 exponentials, in float32.
  EXPECT_LT(distance(found.logsumexp, expected.logsumexp), 1e-5);
  // A probability is rounded by up to 2^-9 of itself; few of them matter at logits of this size.
  EXPECT_LT(distance(found.expected_row, expected.expected_row), 4e-3);
  EXPECT_LT(distance(found.entropy, expected.entropy), 4e-3);
}

TEST_P(VocabularyPass,
       IsTheDefinitionForAWideHeadToo) {  // whose tiles are shorter, and whose products are made in parts
  const auto u = bfloat16({20, 8192}, 1), head = bfloat16({1100, 8192}, 2, 0.03), rows = bfloat16({1100, 32}, 3);
  const auto found = summarize(u, head, rows), expected = in_float64(u, head, rows);
  EXPECT_LT(distance(found.logsumexp, expected.logsumexp), 2e-5);        // float32 sums of 8,192 products, some of ten
  EXPECT_LT(distance(found.expected_row, expected.expected_row), 4e-3);  // probabilities rounded by 2^-9
  EXPECT_LT(distance(found.entropy, expected.entropy), 4e-3);
}

TEST_P(VocabularyPass, GivesAKlWhoseRoundingCancels) {
  const auto u = bfloat16({40, 64}, 1, 2), head = bfloat16({6000, 64}, 2, 0.5);
  const auto near = (u.to(at::kFloat) + random_tensor({40, 64}, 3, at::kFloat) * 0.02).to(at::kBFloat16);
  const auto q = summarize(near, head, head), p = summarize(u, head, head);
  const auto kl = q.logsumexp - (p.expected_row * near.to(at::kFloat)).sum(-1) - p.entropy;
  const auto exact_q = in_float64(near, head, head), exact_p = in_float64(u, head, head);
  const auto exact = exact_q.logsumexp - (exact_p.expected_row * near.to(at::kDouble)).sum(-1) - exact_p.entropy;
  // Entropy and expected row err together, so that the KL errs by the rounding times the difference of the logits
  // (about 0.1).
  EXPECT_LT(distance(kl, exact), 2e-4);
  // A distribution and itself: only float32 sums are left.
  const auto self = p.logsumexp - (p.expected_row * u.to(at::kFloat)).sum(-1) - p.entropy;
  EXPECT_LT(self.abs().max().item<double>(), 4e-5);
}

TEST_P(VocabularyPass, FollowsAMaximumThatGrowsAndFalls) {
  auto u = at::ones({3, 16}, at::kBFloat16);
  auto head = at::zeros({5120, 16}, at::kBFloat16);
  for (int64_t tile = 0; tile < 5; ++tile)
    head.narrow(0, tile * 1024, 1024).narrow(1, 0, 1).fill_(tile == 4 ? 1 : 30 * tile);
  head.narrow(0, 3 * 1024, 1).narrow(1, 0, 1).fill_(96);  // one row stands out
  const auto rows = bfloat16({5120, 16}, 3);
  const auto found = summarize(u, head, rows), expected = in_float64(u, head, rows);
  EXPECT_LT(distance(found.logsumexp, expected.logsumexp), 2e-5);  // a logit of 96 in float32
  EXPECT_LT(distance(found.expected_row, expected.expected_row), 4e-3);
  EXPECT_LT(distance(found.entropy, expected.entropy), 4e-3);
}

TEST_P(VocabularyPass, KeepsBrokenPositionsToThemselves) {
  auto u = bfloat16({50, 32}, 1);
  const auto head = bfloat16({2000, 32}, 2);
  const auto expected = summarize(u, head, head);
  u[7][3] = std::nan("");
  u[49][0] = INFINITY;
  const auto found = summarize(u, head, head);
  for (int64_t m = 0; m < 50; ++m) {
    const bool broken = m == 7 || m == 49;
    EXPECT_EQ(std::isfinite(found.logsumexp[m].item<double>()), !broken) << m;
    if (broken) continue;
    EXPECT_TRUE(at::equal(found.expected_row[m], expected.expected_row[m])) << m;
  }
}

TEST_P(VocabularyPass, GivesTheHeadItsGradient) {
  for (const int64_t num_positions : {97, 16}) {
    const auto u = bfloat16({num_positions, 64}, 1), head = bfloat16({2500, 64}, 2, 0.5);
    const auto g = random_tensor({num_positions}, 3, at::kFloat);
    const auto labels = at::arange(num_positions, at::kLong) * 25;
    const auto input = head_pass_input(u, head, {});
    const auto logsumexp = at::logsumexp(at::mm(u.to(at::kFloat), head.to(at::kFloat).t()), -1);
    const auto found = vocabulary_gradient(input, *GetParam().second(input), logsumexp, g, labels);

    const auto wide = head.to(at::kDouble).requires_grad_(true);
    const auto z = at::mm(u.to(at::kDouble), wide.t());
    const auto losses = at::logsumexp(z, -1) - z.gather(1, labels.unsqueeze(1)).squeeze(1);
    (losses * g.to(at::kDouble)).sum().backward();
    EXPECT_EQ(found.scalar_type(), at::kBFloat16);
    // Probabilities and result rounded to eight bits; entries up to 5.
    EXPECT_LT(distance(found, wide.grad()), 2e-2);
    EXPECT_GT(wide.grad().abs().max().item<double>(), 2);
  }
}

TEST_P(VocabularyPass, DoesNotDependOnTheNumberOfThreads) {
  const auto u = bfloat16({200, 32}, 1), head = bfloat16({2048, 32}, 2);
  const int before = at::get_num_threads();
  at::set_num_threads(1);
  const auto one = summarize(u, head, head);
  at::set_num_threads(3);
  const auto three = summarize(u, head, head);
  at::set_num_threads(before);
  EXPECT_LT(distance(one.expected_row, three.expected_row), 1e-6);  // MKL cuts its blocks by threads
  EXPECT_LT(distance(one.logsumexp, three.logsumexp), 2e-6);
}

INSTANTIATE_TEST_SUITE_P(On, VocabularyPass,
                         testing::Values(std::pair("Avx512", &avx512_products), std::pair("Mkl", &mkl_products)),
                         [](const auto& instance) { return instance.param.first; });

TEST(TileProducts, WantsShapesThatFillItsVectors) {
  if (!has_avx512_bf16()) GTEST_SKIP() << "this processor has no AVX512-BF16";
  EXPECT_TRUE(has_tile_products({nullptr, nullptr, nullptr, 1, 32, 100, 16}));
  EXPECT_FALSE(has_tile_products({nullptr, nullptr, nullptr, 1, 40, 100, 16}));
  EXPECT_FALSE(has_tile_products({nullptr, nullptr, nullptr, 1, 32, 100, 24}));
  EXPECT_FALSE(has_tile_products({nullptr, nullptr, nullptr, 1, 32, 101, 16}));
}

}  // namespace
}  // namespace vlsi
