// The KL of all pairs of layers against its definition, in values and in gradients.
#include "objective/verbal_kl.h"

#include <ATen/ATen.h>

#include <cmath>

#include "objective/head_summary.h"
#include "tests/objective/layer_pairs.h"

namespace vlsi {
namespace {

struct KlPairs : LayerPairs {
  using LayerPairs::LayerPairs;

  int64_t num_rows() const { return std::min(head.size(0), teacher_head.size(0)); }
  TeacherSummary summary() const { return summarize_teacher(u_teacher, teacher_head, head); }
  at::Tensor kl() const { return all_pairs_kl(u, head.narrow(0, 0, num_rows()), summary()); }
  at::Tensor plain() const { return all_pairs_kl_plain(u, head, u_teacher, teacher_head); }
};

class SharedRows : public testing::TestWithParam<std::pair<int64_t, int64_t>> {};

TEST_P(SharedRows, GiveTheDefinitionsValuesAndGradients) {
  const KlPairs pair(GetParam().first, GetParam().second, at::kDouble);
  pair.u.set_requires_grad(true);
  const auto weights = KlPairs::weights();
  const auto kl = pair.kl(), plain = pair.plain();
  EXPECT_EQ(kl.sizes(), at::IntArrayRef({2, 3}));
  // Both are sums of a few hundred float64 terms of size one.
  EXPECT_LT(distance(kl, plain), 1e-12);
  EXPECT_LT(distance(gradient_of(pair.u, weights * kl), gradient_of(pair.u, weights * plain)), 1e-12);
}

INSTANTIATE_TEST_SUITE_P(VerbalKl, SharedRows,
                         testing::Values(std::pair(64, 64), std::pair(64, 80), std::pair(80, 64)));

TEST(VerbalKl, IgnoresTheTeachersPaddingRows) {
  const KlPairs pair(64, 80, at::kDouble);
  const auto expected = pair.kl();
  pair.teacher_head.narrow(0, 64, 16).fill_(100);
  EXPECT_TRUE(at::equal(pair.kl(), expected));
}

TEST(VerbalKl, CountsAPositionAsOftenAsItWeighs) {
  const KlPairs pair(64, 80, at::kDouble);
  pair.u.set_requires_grad(true);
  const int64_t num_positions = pair.u.size(1);
  const auto weights = at::arange(num_positions, at::kFloat).remainder(3) + 1;
  const auto often = at::repeat_interleave(at::arange(num_positions), weights.to(at::kLong));
  const auto mean = [&](const at::Tensor& u, const at::Tensor& v, const at::Tensor& w) {
    return all_pairs_kl(u, pair.head.narrow(0, 0, pair.num_rows()), summarize_teacher(v, pair.teacher_head, pair.head),
                        w);
  };
  const auto found = mean(pair.u, pair.u_teacher, weights);
  const auto wanted = mean(pair.u.index_select(1, often), pair.u_teacher.index_select(1, often), {});
  EXPECT_LT(distance(found, wanted), 1e-12);
  const auto g = KlPairs::weights();
  EXPECT_LT(distance(gradient_of(pair.u, g * found), gradient_of(pair.u, g * wanted)), 1e-12);
  EXPECT_TRUE(at::equal(mean(pair.u, pair.u_teacher, at::ones({num_positions})), pair.kl()));
}

TEST(VerbalKl, HasTheGradientOfFiniteDifferences) {
  const KlPairs pair(40, 40, at::kDouble);
  // Central differences err by the step squared, and by float64's rounding divided by the step.
  expect_gradient_of_differences(
      pair.u, [&] { return KlPairs::weights() * pair.kl(); }, 1e-5, 1e-8);
}

TEST(VerbalKl, IsLogsumexpLessAgreementLessEntropy) {
  const KlPairs pair(64, 64, at::kDouble);
  const auto teacher = pair.summary();
  const auto student = head_summary_plain(pair.u, pair.head, pair.head);
  const auto kl = pair.kl();
  for (int64_t s = 0; s < 2; ++s) {
    for (int64_t l = 0; l < 3; ++l) {
      const auto identity = student.logsumexp[s] - (teacher.expected_row[l] * pair.u[s]).sum(-1) - teacher.entropy[l];
      EXPECT_NEAR(kl[s][l].item<double>(), identity.mean().item<double>(), 1e-12);
    }
  }
}

TEST(VerbalKl, OfAModelToItselfIsZeroOnTheDiagonal) {
  for (const auto dtype : {at::kFloat, at::kDouble}) {
    const auto u = random_tensor({3, 6, 16}, 1, dtype), head = random_tensor({500, 16}, 2, dtype) / 2;
    const auto kl = all_pairs_kl(u, head, summarize_teacher(u, head, head));
    EXPECT_LT(kl.diagonal().abs().max().item<double>(), dtype == at::kFloat ? 1e-5 : 1e-13);
    EXPECT_GT(kl[0][1].item<double>(), 0.1);
    EXPECT_GT(kl[1][0].item<double>(), 0.1);
  }
}

TEST(VerbalKl, IsNeverBelowZeroByMoreThanFloat32Rounding) {
  for (uint64_t seed = 0; seed < 50; ++seed) {
    const auto u = random_tensor({2, 3, 16}, seed, at::kFloat),
               head = random_tensor({300, 16}, 1000 + seed, at::kFloat) / 2;
    // Nearly the same distributions: the KL is far below the size of the three terms that it is the difference of.
    const auto close = u + random_tensor({2, 3, 16}, 2000 + seed, at::kFloat) * 1e-4;
    EXPECT_GT(all_pairs_kl(u, head, summarize_teacher(close, head, head)).min().item<double>(), -1e-5) << seed;
  }
}

TEST(VerbalKl, GivesTheStudentAloneAGradient) {
  const KlPairs pair(40, 40, at::kFloat);
  pair.u.set_requires_grad(true);
  pair.head.set_requires_grad(true);
  pair.u_teacher.set_requires_grad(true);
  pair.teacher_head.set_requires_grad(true);
  pair.kl().sum().backward();
  EXPECT_TRUE(pair.u.grad().defined());
  EXPECT_FALSE(pair.head.grad().defined());
  EXPECT_FALSE(pair.u_teacher.grad().defined());
  EXPECT_FALSE(pair.teacher_head.grad().defined());
}

TEST(VerbalKl, KeepsBfloat16GradientsInTheirDtype) {
  const KlPairs pair(40, 40, at::kBFloat16);
  pair.u.set_requires_grad(true);
  const auto kl = pair.kl();
  EXPECT_EQ(kl.scalar_type(), at::kFloat);
  kl.sum().backward();
  EXPECT_EQ(pair.u.grad().scalar_type(), at::kBFloat16);
  // Probabilities are rounded to eight bits, 2^-9 each, times logits that differ by a few units between layers that
  // have nothing in common; the bound that the program holds itself to for real layers.
  const auto wide = all_pairs_kl_plain(pair.u.to(at::kDouble), pair.head.to(at::kDouble),
                                       pair.u_teacher.to(at::kDouble), pair.teacher_head.to(at::kDouble));
  EXPECT_LT(distance(kl, wide), 1e-3);
}

TEST(VerbalKl, OfNoPositionsIsZero) {
  const auto u = at::empty({2, 0, 12}, at::kFloat).requires_grad_(true), head = random_tensor({40, 12}, 2, at::kFloat);
  const auto kl = all_pairs_kl(u, head, {at::empty({3, 0, 12}), at::empty({3, 0})});
  EXPECT_TRUE(at::equal(kl, at::zeros({2, 3})));
  kl.sum().backward();
  EXPECT_EQ(u.grad().sizes(), u.sizes());
}

TEST(VerbalKl, RefusesOtherPositions) {
  const KlPairs pair(40, 40, at::kFloat);
  EXPECT_THROW(all_pairs_kl(pair.u.narrow(1, 0, 4), pair.head, pair.summary()), c10::Error);
}

}  // namespace
}  // namespace vlsi
