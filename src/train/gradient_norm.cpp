#include "train/gradient_norm.h"

#include <ATen/ATen.h>
#include <torch/csrc/autograd/autograd.h>

#include <vector>

namespace vlsi {

at::Tensor gradient_norm(const at::Tensor& loss, const NamedTensors& parameters) {
  auto sum = at::zeros({}, loss.options().dtype(at::kFloat).requires_grad(false));
  if (!loss.requires_grad()) return sum;
  std::vector<at::Tensor> learning;
  for (const auto& [name, parameter] : parameters) learning.push_back(parameter);
  const auto gradients = torch::autograd::grad({loss}, learning, {}, /*retain_graph=*/true, /*create_graph=*/false,
                                               /*allow_unused=*/true);
  for (const auto& gradient : gradients) {
    if (gradient.defined()) sum += gradient.to(at::kFloat).square().sum();
  }
  return sum.sqrt();
}

}  // namespace vlsi
