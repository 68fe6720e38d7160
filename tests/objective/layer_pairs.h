// Layers of a student and of a teacher, and gradients with respect to the student's rows.
#pragma once

#include <ATen/core/grad_mode.h>
#include <gtest/gtest.h>

#include "tests/objective/near.h"

namespace vlsi {

/// Two student and three teacher layers at five positions, of different widths.
struct LayerPairs {
  at::Tensor u, head, u_teacher, teacher_head;

  LayerPairs(int64_t student_rows, int64_t teacher_rows, at::ScalarType dtype)
      : u(random_tensor({2, 5, 12}, 1, dtype)),
        head(random_tensor({student_rows, 12}, 2, dtype) / 2),
        u_teacher(random_tensor({3, 5, 20}, 3, dtype)),
        teacher_head(random_tensor({teacher_rows, 20}, 4, dtype) / 3) {}

  /// A weight for each of the six pairs.
  static at::Tensor weights() { return random_tensor({2, 3}, 5, at::kDouble); }
};

/// d(sum of `weighted`)/du, which is cleared.
inline at::Tensor gradient_of(const at::Tensor& u, const at::Tensor& weighted) {
  weighted.sum().backward();
  const auto gradient = u.grad().clone();
  u.mutable_grad() = at::Tensor();
  return gradient;
}

/// Expects d(sum of loss())/du to be that of central differences of `step`, to `tolerance`; u is float64.
template <class Loss>
void expect_gradient_of_differences(const at::Tensor& u, const Loss& loss, double step, double tolerance) {
  u.set_requires_grad(true);
  const auto gradient = gradient_of(u, loss());
  at::NoGradGuard no_grad;
  auto values = u.detach().view({-1});
  for (int64_t i = 0; i < values.numel(); ++i) {
    const double value = values[i].template item<double>();
    values[i] = value + step;
    const double above = loss().sum().template item<double>();
    values[i] = value - step;
    const double below = loss().sum().template item<double>();
    values[i] = value;
    EXPECT_NEAR(gradient.view({-1})[i].template item<double>(), (above - below) / (2 * step), tolerance) << i;
  }
}

}  // namespace vlsi
