// The summary of a head's distribution against a dense float64 softmax, whole and in tiles.
#include "objective/head_summary.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "tests/objective/near.h"

namespace vlsi {
namespace {

/// Softmax, expectation and entropy written out in float64.
HeadSummary dense(const at::Tensor& u, const at::Tensor& head, const at::Tensor& rows) {
  const auto logits = at::matmul(u.to(at::kDouble), head.to(at::kDouble).t());
  const auto peak = std::get<0>(logits.max(-1, /*keepdim=*/true));
  const auto weights = at::exp(logits - peak);
  const auto sum = weights.sum(-1, /*keepdim=*/true);
  const auto q = weights / sum;
  return {(peak + sum.log()).squeeze(-1), at::matmul(q, rows.to(at::kDouble)), -(q * q.log()).sum(-1)};
}

void expect_near(const HeadSummary& found, const HeadSummary& expected, double tolerance) {
  EXPECT_LT(distance(found.logsumexp, expected.logsumexp), tolerance);
  EXPECT_LT(distance(found.expected_row, expected.expected_row), tolerance);
  EXPECT_LT(distance(found.entropy, expected.entropy), tolerance);
}

TEST(HeadSummary, OfFloat64RowsIsTheDenseFormula) {
  const auto u = random_tensor({3, 5, 16}, 1, at::kDouble), head = random_tensor({97, 16}, 2, at::kDouble) / 2;
  const auto rows = random_tensor({97, 9}, 3, at::kDouble);
  const auto found = head_summary(u, head, rows);
  EXPECT_EQ(found.logsumexp.scalar_type(), at::kDouble);
  EXPECT_EQ(found.expected_row.sizes(), at::IntArrayRef({3, 5, 9}));
  // Sums of at most 97 float64 terms of size one.
  expect_near(found, dense(u, head, rows), 1e-12);
}

TEST(HeadSummary, OfFloat32RowsRoundsOnlyLogits) {
  const auto u = random_tensor({3, 5, 16}, 1, at::kFloat), head = random_tensor({97, 16}, 2, at::kFloat) / 2;
  const auto found = head_summary(u, head, head);
  EXPECT_EQ(found.logsumexp.scalar_type(), at::kFloat);
  // Logits up to 10 in float32 (2^-24 relative) after 16 products each; the rest adds little to it.
  expect_near(found, dense(u, head, head), 1e-5);
}

TEST(HeadSummary, OfBfloat16RowsComputesInFloat32) {
  const auto u = random_tensor({3, 5, 16}, 1, at::kBFloat16), head = random_tensor({97, 16}, 2, at::kBFloat16) / 2;
  const auto found = head_summary(u, head, head);
  EXPECT_EQ(found.logsumexp.scalar_type(), at::kFloat);
  const auto expected = dense(u, head, head);
  // The inputs are exact in float32, so the bound is float32's, not bfloat16's.
  EXPECT_LT(distance(found.logsumexp, expected.logsumexp), 1e-5);
  // Probabilities are rounded to eight bits, 2^-9 each, and divided by their rounded sum: the errors of some dozen of
  // them average.
  EXPECT_LT(distance(found.expected_row, expected.expected_row), 4e-3);
  EXPECT_LT(distance(found.entropy, expected.entropy), 4e-3);
}

TEST(HeadSummary, SurvivesLogitsBeyondTheRangeOfExp) {
  const auto u = random_tensor({1, 2, 8}, 1, at::kFloat) * 300, head = random_tensor({31, 8}, 2, at::kFloat);
  const auto found = head_summary(u, head, head), expected = dense(u, head, head);
  // Logits of about a thousand carry an error of 1e-4 each in float32; a probability moves by that share.
  EXPECT_LT(distance(found.logsumexp, expected.logsumexp), 1e-3);
  EXPECT_LT(distance(found.expected_row, expected.expected_row), 1e-2);
  EXPECT_TRUE(found.entropy.isfinite().all().item<bool>());
}

TEST(HeadSummary, InTilesAndBlocksIsTheWhole) {
  // Three tiles of the vocabulary, the last one small; more positions than a block has.
  const auto u = random_tensor({2, 1100, 4}, 1, at::kDouble), head = random_tensor({2100, 4}, 2, at::kDouble);
  const auto rows = random_tensor({2100, 3}, 3, at::kDouble);
  const auto found = head_summary(u, head, rows);
  EXPECT_EQ(found.expected_row.sizes(), at::IntArrayRef({2, 1100, 3}));
  // float64 sums of 2,100 terms in two orders.
  expect_near(found, head_summary_plain(u, head, rows), 1e-11);
}

TEST(HeadSummary, SurvivesAMaximumThatGrowsFromTileToTile) {
  const auto u = at::ones({1, 1, 1}, at::kDouble), head = at::arange(4096, at::kDouble).view({-1, 1}) / 8;
  expect_near(head_summary(u, head, head), head_summary_plain(u, head, head), 1e-9);  // logits up to 512
}

TEST(HeadSummary, OfNoPositionsIsEmpty) {
  for (const auto dtype : {at::kFloat, at::kBFloat16}) {
    const auto u = at::empty({3, 0, 16}, dtype), head = random_tensor({64, 16}, 2, dtype);
    const auto found = head_summary(u, head, head);
    EXPECT_EQ(found.logsumexp.sizes(), at::IntArrayRef({3, 0}));
    EXPECT_EQ(found.expected_row.sizes(), at::IntArrayRef({3, 0, 16}));
  }
}

TEST(HeadSummary, RoundsFloat32RowsToABfloat16HeadAsTheModelWould) {
  const auto u = random_tensor({2, 5, 32}, 1, at::kFloat), head = random_tensor({100, 32}, 2, at::kBFloat16);
  const auto found = head_summary(u, head, head), expected = head_summary(u.to(at::kBFloat16), head, head);
  EXPECT_TRUE(at::equal(found.logsumexp, expected.logsumexp));
  EXPECT_TRUE(at::equal(found.expected_row, expected.expected_row));
}

TEST(HeadSummary, HasNoGradient) {
  const auto u = random_tensor({1, 2, 4}, 1, at::kFloat).requires_grad_(true),
             head = random_tensor({7, 4}, 2, at::kFloat);
  const auto found = head_summary(u, head, head);
  EXPECT_FALSE(found.logsumexp.requires_grad());
  EXPECT_FALSE(found.expected_row.requires_grad());
}

}  // namespace
}  // namespace vlsi
