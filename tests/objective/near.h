// Seeded tensors and the distance between two, for tests of the objective.
#pragma once

#include <ATen/ATen.h>
#include <ATen/CPUGeneratorImpl.h>

namespace vlsi {

inline at::Tensor random_tensor(at::IntArrayRef sizes, uint64_t seed, at::ScalarType dtype) {
  return at::randn(sizes, at::detail::createCPUGenerator(seed), at::TensorOptions(at::kDouble)).to(dtype);
}

/// Largest |a - b| over max(1, |b|); infinite where either is not a number.
inline double distance(const at::Tensor& a, const at::Tensor& b) {
  const auto x = a.detach().to(at::kDouble), y = b.detach().to(at::kDouble);
  return ((x - y).abs() / y.abs().clamp_min(1)).nan_to_num(INFINITY).max().item<double>();
}

}  // namespace vlsi
