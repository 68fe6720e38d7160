// Cross entropy through a language head against its definition, in values and in gradients.
#include "objective/cross_entropy.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "tests/objective/near.h"

namespace vlsi {
namespace {

struct Gradients {
  at::Tensor values, u, head;
};

/// Values, and gradients of a weighted sum of them.
template <class Loss>
Gradients gradients_of(const Loss& loss, const at::Tensor& u, const at::Tensor& head, const at::Tensor& labels,
                       const at::Tensor& weights) {
  const auto u_leaf = u.clone().requires_grad_(true), head_leaf = head.clone().requires_grad_(true);
  const auto values = loss(u_leaf, head_leaf, labels);
  (values * weights).sum().backward();
  return {values.detach(), u_leaf.grad(), head_leaf.grad()};
}

TEST(CrossEntropy, IsTheDefinitionInValuesAndGradients) {
  const auto u = random_tensor({3, 5, 12}, 1, at::kDouble), head = random_tensor({70, 12}, 2, at::kDouble) / 2;
  // A label that stands twice, and both ends of the vocabulary.
  const auto labels = at::tensor({0, 69, 7, 7, 30}, at::kLong);
  const auto weights = random_tensor({3, 5}, 3, at::kDouble);
  const auto found = gradients_of(cross_entropy, u, head, labels, weights);
  const auto expected = gradients_of(cross_entropy_plain, u, head, labels, weights);
  EXPECT_EQ(found.values.sizes(), at::IntArrayRef({3, 5}));
  // Sums of some hundred float64 terms of size one.
  EXPECT_LT(distance(found.values, expected.values), 1e-12);
  EXPECT_LT(distance(found.u, expected.u), 1e-12);
  EXPECT_LT(distance(found.head, expected.head), 1e-12);
}

TEST(CrossEntropy, AddsUpTheHeadsGradientOverTiles) {
  const int64_t num_layers = 4, num_positions = 40, vocab_size = 3000;  // three tiles
  const auto u = random_tensor({num_layers, num_positions, 2}, 1, at::kDouble);
  const auto head = random_tensor({vocab_size, 2}, 2, at::kDouble);
  const auto labels = at::arange(num_positions, at::kLong) * 76;
  const auto weights = random_tensor({num_layers, num_positions}, 3, at::kDouble);
  const auto found = gradients_of(cross_entropy, u, head, labels, weights);
  const auto expected = gradients_of(cross_entropy_plain, u, head, labels, weights);
  // float64 sums of 3,000 terms in two orders.
  EXPECT_LT(distance(found.values, expected.values), 1e-10);
  EXPECT_LT(distance(found.u, expected.u), 1e-10);
  EXPECT_LT(distance(found.head, expected.head), 1e-10);
  // The first and the last tile's labels have both reached it.
  EXPECT_GT(found.head[0].abs().max().item<double>(), 1e-3);
  EXPECT_GT(found.head[39 * 76].abs().max().item<double>(), 1e-3);
}

TEST(CrossEntropy, GivesAFrozenHeadNoGradient) {
  const auto u = random_tensor({1, 3, 4}, 1, at::kFloat).requires_grad_(true),
             head = random_tensor({9, 4}, 2, at::kFloat);
  cross_entropy(u, head, at::tensor({1, 2, 3}, at::kLong)).sum().backward();
  EXPECT_TRUE(u.grad().defined());
  EXPECT_FALSE(head.grad().defined());
}

TEST(CrossEntropy, TrainsAHeadUnderFrozenRows) {
  const auto u = random_tensor({1, 3, 4}, 1, at::kDouble);
  const auto labels = at::tensor({1, 2, 3}, at::kLong);
  const auto head = random_tensor({9, 4}, 2, at::kDouble).requires_grad_(true);
  cross_entropy(u, head, labels).sum().backward();
  const auto found = head.grad().clone();
  head.mutable_grad() = at::Tensor();
  cross_entropy_plain(u, head, labels).sum().backward();
  EXPECT_LT(distance(found, head.grad()), 1e-13);
}

TEST(CrossEntropy, OfBfloat16RowsIsFloat32AndKeepsTheGradientsDtype) {
  const auto u = random_tensor({2, 3, 8}, 1, at::kBFloat16), head = random_tensor({50, 8}, 2, at::kBFloat16);
  const auto labels = at::tensor({4, 0, 49}, at::kLong);
  const auto found = gradients_of(cross_entropy, u, head, labels, at::ones({2, 3}));
  const auto expected =
      gradients_of(cross_entropy_plain, u.to(at::kDouble), head.to(at::kDouble), labels, at::ones({2, 3}));
  EXPECT_EQ(found.values.scalar_type(), at::kFloat);
  EXPECT_EQ(found.u.scalar_type(), at::kBFloat16);
  EXPECT_EQ(found.head.scalar_type(), at::kBFloat16);
  EXPECT_LT(distance(found.values, expected.values), 1e-5);
  // Probabilities are rounded to eight bits, 2^-9 each, and the result once more.
  EXPECT_LT(distance(found.u, expected.u), 4e-3);
  EXPECT_LT(distance(found.head, expected.head), 4e-3);
}

}  // namespace
}  // namespace vlsi
