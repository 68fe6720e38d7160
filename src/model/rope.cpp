#include "model/rope.h"

#include <ATen/ATen.h>

#include "base/send.h"

namespace vlsi {
namespace {

/// The axis that each of the d/2 frequencies follows: section after section, or, interleaved, the axes in turn as long
/// as their sections last, the first axis where another one's is used up.
std::vector<int64_t> axes_of_frequencies(const TextConfig& config) {
  const auto& sections = config.rope_sections;
  const auto num_axes = config.num_axes();
  std::vector<int64_t> axes;
  if (!config.rope_is_interleaved) {
    for (int64_t axis = 0; axis < num_axes; ++axis) axes.insert(axes.end(), sections[axis], axis);
    return axes;
  }
  axes.assign(config.head_dim() / 2, 0);
  for (int64_t axis = 1; axis < num_axes; ++axis) {
    for (int64_t i = 0; i < sections[axis]; ++i) axes[axis + i * num_axes] = axis;
  }
  return axes;
}

}  // namespace

at::Tensor inverse_frequencies(int64_t width, double base, at::Device device) {
  const auto exponents = at::arange(0, width, 2, at::TensorOptions(at::kFloat)) / static_cast<double>(width);
  return send(1.0 / at::pow(at::scalar_tensor(base, at::kFloat), exponents), device);
}

RotaryTable rotary_table(const at::Tensor& positions, const TextConfig& config, at::ScalarType dtype) {
  const auto frequencies = inverse_frequencies(config.head_dim(), config.rope_theta, positions.device());
  const auto all = positions.to(at::kFloat).unsqueeze(-1) * frequencies;  // [A, T, d/2]
  const auto axes = send(at::tensor(axes_of_frequencies(config), at::kLong), positions.device());
  const auto angles =
      all.gather(0, axes.view({1, 1, -1}).expand({1, all.size(1), -1})).squeeze(0);  // [A, T, d/2] -> [T, d/2]
  return {angles.cos().to(dtype), angles.sin().to(dtype)};
}

}  // namespace vlsi
