// Squared differences of logits by Gram matrices against the logits themselves, in values and in gradients.
#include "objective/logit_l2.h"

#include <ATen/ATen.h>

#include "tests/objective/layer_pairs.h"

namespace vlsi {
namespace {

struct LogitPairs : LayerPairs {
  using LayerPairs::LayerPairs;

  at::Tensor l2() const {
    const auto grams = head_grams(head, teacher_head);
    return all_pairs_logit_l2(u, grams, summarize_teacher_logits(u_teacher, grams));
  }
  at::Tensor plain() const { return all_pairs_logit_l2_plain(u, head, u_teacher, teacher_head); }
};

class SharedLogitRows : public testing::TestWithParam<std::pair<int64_t, int64_t>> {};

TEST_P(SharedLogitRows, GiveTheDefinitionsValuesAndGradients) {
  const LogitPairs pair(GetParam().first, GetParam().second, at::kDouble);
  pair.u.set_requires_grad(true);
  const auto weights = LogitPairs::weights();
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

TEST(RowL2, CountsAPositionAsOftenAsItWeighs) {
  const auto u = random_tensor({2, 3, 8}, 1, at::kDouble).set_requires_grad(true);
  const auto target = random_tensor({3, 3, 8}, 2, at::kDouble);
  const auto position = at::tensor({0, 1, 1, 1, 2, 2}, at::kLong);
  const auto found = all_pairs_row_l2(u, target, at::tensor({1.0F, 3.0F, 2.0F}));
  const auto wanted = all_pairs_row_l2(u.index_select(1, position), target.index_select(1, position));
  EXPECT_LT(distance(found, wanted), 1e-12);
  EXPECT_LT(distance(gradient_of(u, found), gradient_of(u, wanted)), 1e-12);
}

TEST(LogitL2, HasTheGradientOfFiniteDifferences) {
  const LogitPairs pair(40, 40, at::kDouble);
  // Central differences of a quadratic form are exact up to float64's rounding divided by the step.
  expect_gradient_of_differences(
      pair.u, [&] { return LogitPairs::weights() * pair.l2(); }, 1e-4, 1e-10);
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
  const LogitPairs pair(40, 40, at::kBFloat16);
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
  const LogitPairs pair(40, 40, at::kFloat);
  for (const auto* tensor : {&pair.u, &pair.head, &pair.u_teacher, &pair.teacher_head}) tensor->set_requires_grad(true);
  pair.l2().sum().backward();
  EXPECT_TRUE(pair.u.grad().defined());
  EXPECT_FALSE(pair.head.grad().defined());
  EXPECT_FALSE(pair.u_teacher.grad().defined());
  EXPECT_FALSE(pair.teacher_head.grad().defined());
}

TEST(LogitL2, RefusesOtherPositions) {
  const LogitPairs pair(40, 40, at::kFloat);
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
  const LogitPairs pair(40, 40, at::kFloat);
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
