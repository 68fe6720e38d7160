// Squared differences of logits by Gram matrices against the logits themselves, in values and in gradients.
#include "objective/logit_l2.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <gtest/gtest.h>

#include "tests/objective/near.h"

namespace vlsi {
namespace {

/// Two student and three teacher layers at five positions, of different widths.
struct Pair {
  at::Tensor u, head, u_teacher, teacher_head;

  Pair(int64_t student_rows, int64_t teacher_rows, at::ScalarType dtype)
      : u(random_tensor({2, 5, 12}, 1, dtype)),
        head(random_tensor({student_rows, 12}, 2, dtype) / 2),
        u_teacher(random_tensor({3, 5, 20}, 3, dtype)),
        teacher_head(random_tensor({teacher_rows, 20}, 4, dtype) / 3) {}

  at::Tensor l2() const {
    const auto grams = head_grams(head, teacher_head);
    return all_pairs_logit_l2(u, grams, summarize_teacher_logits(u_teacher, grams));
  }
  at::Tensor plain() const { return all_pairs_logit_l2_plain(u, head, u_teacher, teacher_head); }
};

at::Tensor gradient_of(const at::Tensor& u, const at::Tensor& weighted) {
  weighted.sum().backward();
  const auto gradient = u.grad().clone();
  u.mutable_grad() = at::Tensor();
  return gradient;
}

class SharedLogitRows : public testing::TestWithParam<std::pair<int64_t, int64_t>> {};

TEST_P(SharedLogitRows, GiveTheDefinitionsValuesAndGradients) {
  const Pair pair(GetParam().first, GetParam().second, at::kDouble);
  pair.u.set_requires_grad(true);
  const auto weights = random_tensor({2, 3}, 5, at::kDouble);
  const auto l2 = pair.l2(), plain = pair.plain();
  EXPECT_EQ(l2.sizes(), at::IntArrayRef({2, 3}));
  // Both are float64 sums of up to 2,500 rows' squares, whose mean is of size one to ten.
  EXPECT_LT(distance(l2, plain), 1e-12);
  EXPECT_LT(distance(gradient_of(pair.u, weights * l2), gradient_of(pair.u, weights * plain)), 1e-12);
}

// 2,500 rows are more than two tiles, the last of them not whole.
INSTANTIATE_TEST_SUITE_P(LogitL2, SharedLogitRows,
                         testing::Values(std::pair(64, 64), std::pair(64, 80), std::pair(80, 64),
                                         std::pair(2500, 2600)));

TEST(LogitL2, HasTheGradientOfFiniteDifferences) {
  const Pair pair(40, 40, at::kDouble);
  pair.u.set_requires_grad(true);
  const auto weights = random_tensor({2, 3}, 5, at::kDouble);
  const auto gradient = gradient_of(pair.u, weights * pair.l2());
  at::NoGradGuard no_grad;
  constexpr double kStep = 1e-4;
  auto values = pair.u.detach().view({-1});
  for (int64_t i = 0; i < values.numel(); ++i) {
    const double value = values[i].item<double>();
    values[i] = value + kStep;
    const double above = (weights * pair.l2()).sum().item<double>();
    values[i] = value - kStep;
    const double below = (weights * pair.l2()).sum().item<double>();
    values[i] = value;
    // Central differences of a quadratic form are exact up to float64's rounding divided by the step.
    EXPECT_NEAR(gradient.view({-1})[i].item<double>(), (above - below) / (2 * kStep), 1e-10) << i;
  }
}

TEST(LogitL2, OfAModelToItselfIsZeroOnTheDiagonal) {
  const auto u = random_tensor({3, 6, 16}, 1, at::kFloat), head = random_tensor({500, 16}, 2, at::kFloat) / 2;
  const auto grams = head_grams(head, head);
  const auto l2 = all_pairs_logit_l2(u, grams, summarize_teacher_logits(u, grams));
  // Terms of size four, of which float32 keeps 2e-7 each.
  EXPECT_LT(l2.diagonal().abs().max().item<double>(), 4e-6);
  EXPECT_GT(l2[0][1].item<double>(), 1);
}

TEST(LogitL2, InFloat32IsNearTheDefinitionForALargeVocabulary) {
  // Rows with a common part, as trained heads have: it makes one eigenvalue of the Gram matrices much larger than the
  // others.
  const auto head = (random_tensor({20000, 64}, 1, at::kFloat) + 2) / 16,
             teacher_head = (random_tensor({20000, 96}, 2, at::kFloat) + 2) / 16;
  const auto u = random_tensor({2, 8, 64}, 3, at::kFloat), v = random_tensor({3, 8, 96}, 4, at::kFloat);
  const auto grams = head_grams(head, teacher_head);
  const auto found = all_pairs_logit_l2(u, grams, summarize_teacher_logits(v, grams));
  const auto wanted = all_pairs_logit_l2_plain(u.to(at::kDouble), head.to(at::kDouble), v.to(at::kDouble),
                                               teacher_head.to(at::kDouble));
  // Sums of 96 terms in float32, of the size of the value itself (1 to 4).
  EXPECT_LT(distance(found, wanted), 3e-6);
}

TEST(LogitL2, KeepsBfloat16GradientsInTheirDtype) {
  const Pair pair(40, 40, at::kBFloat16);
  pair.u.set_requires_grad(true);
  const auto l2 = pair.l2();
  EXPECT_EQ(l2.scalar_type(), at::kFloat);
  l2.sum().backward();
  EXPECT_EQ(pair.u.grad().scalar_type(), at::kBFloat16);
  const auto wide = all_pairs_logit_l2_plain(pair.u.to(at::kDouble), pair.head.to(at::kDouble),
                                             pair.u_teacher.to(at::kDouble), pair.teacher_head.to(at::kDouble));
  // The inputs are exact in float64, so the values are within float32's rounding of the definition.
  EXPECT_LT(distance(l2, wide), 3e-6);
}

TEST(LogitL2, GivesTheStudentsRowsAloneAGradient) {
  const Pair pair(40, 40, at::kFloat);
  for (const auto* tensor : {&pair.u, &pair.head, &pair.u_teacher, &pair.teacher_head}) tensor->set_requires_grad(true);
  pair.l2().sum().backward();
  EXPECT_TRUE(pair.u.grad().defined());
  EXPECT_FALSE(pair.head.grad().defined());
  EXPECT_FALSE(pair.u_teacher.grad().defined());
  EXPECT_FALSE(pair.teacher_head.grad().defined());
}

TEST(LogitL2, RefusesOtherPositions) {
  const Pair pair(40, 40, at::kFloat);
  const auto grams = head_grams(pair.head, pair.teacher_head);
  EXPECT_THROW(all_pairs_logit_l2(pair.u.narrow(1, 0, 4), grams, summarize_teacher_logits(pair.u_teacher, grams)),
               c10::Error);
}

TEST(RowL2, IsTheMeanSquaredDifferenceOfEveryPair) {
  for (const auto dtype : {at::kFloat, at::kDouble}) {
    const auto u = random_tensor({2, 5, 12}, 1, dtype), v = random_tensor({3, 5, 12}, 2, dtype);
    u.set_requires_grad(true);
    v.set_requires_grad(true);
    const auto found = all_pairs_row_l2(u, v);
    const auto wanted = (u.unsqueeze(1) - v.detach().unsqueeze(0)).square().mean({2, 3});
    const double tolerance = dtype == at::kFloat ? 1e-6 : 1e-13;  // a dozen terms of size one
    EXPECT_LT(distance(found, wanted), tolerance);
    const auto weights = random_tensor({2, 3}, 5, dtype);
    const auto gradient = gradient_of(u, weights * found);
    EXPECT_FALSE(v.grad().defined());
    EXPECT_LT(distance(gradient, gradient_of(u, weights * wanted)), tolerance);
  }
}

TEST(LogitL2, OfNoPositionsIsZero) {
  const Pair pair(40, 40, at::kFloat);
  const auto grams = head_grams(pair.head, pair.teacher_head);
  const auto none = [](const at::Tensor& rows) { return rows.narrow(1, 0, 0); };
  const auto l2 = all_pairs_logit_l2(none(pair.u), grams, summarize_teacher_logits(none(pair.u_teacher), grams));
  EXPECT_TRUE(at::equal(l2, at::zeros({2, 3})));
  EXPECT_TRUE(at::equal(all_pairs_row_l2(none(pair.u), none(pair.u)), at::zeros({2, 2})));
}

TEST(RowL2, RefusesRowsOfAnotherWidth) {
  EXPECT_THROW(all_pairs_row_l2(random_tensor({2, 5, 12}, 1, at::kFloat), random_tensor({3, 5, 11}, 2, at::kFloat)),
               c10::Error);
}

}  // namespace
}  // namespace vlsi
