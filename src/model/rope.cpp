#include "model/rope.h"

#include <ATen/ATen.h>

namespace vlsi {
namespace {

/// base^(-2j/width) for j = 0 .. width/2 - 1, float32.
at::Tensor inverse_frequencies(int64_t width, double base, at::Device device) {
  const auto exponents = at::arange(0, width, 2, at::TensorOptions(at::kFloat)) / static_cast<double>(width);
  return (1.0 / at::pow(at::scalar_tensor(base, at::kFloat), exponents)).to(device);
}

}  // namespace

RotaryTable mrope_table(const at::Tensor& positions, const TextConfig& config, at::ScalarType dtype) {
  const auto frequencies = inverse_frequencies(config.head_dim(), config.rope_theta, positions.device());
  const auto all = positions.to(at::kFloat).unsqueeze(-1) * frequencies;  // [3, T, d/2]
  std::vector<at::Tensor> sections;
  int64_t first = 0;
  for (size_t axis = 0; axis < 3; ++axis) {
    sections.push_back(all[axis].narrow(-1, first, config.mrope_section[axis]));
    first += config.mrope_section[axis];
  }
  const auto angles = at::cat(sections, -1);  // [T, d/2]
  return {angles.cos().to(dtype), angles.sin().to(dtype)};
}

RotaryTable vision_rotary_table(const std::vector<ImageGrid>& grids, const VisionConfig& config,
                                const at::TensorOptions& options) {
  const int64_t merge = config.spatial_merge_size;
  std::vector<at::Tensor> places;
  for (const auto& grid : grids) {
    const auto row = at::arange(grid.h, at::kLong).view({grid.h / merge, 1, merge, 1});
    const auto column = at::arange(grid.w, at::kLong).view({1, grid.w / merge, 1, merge});
    const std::vector<int64_t> blocks{grid.h / merge, grid.w / merge, merge, merge};
    const auto one_frame = at::stack({row.expand(blocks).flatten(), column.expand(blocks).flatten()}, -1);
    places.push_back(one_frame.repeat({grid.t, 1}));
  }
  const int64_t head_dim = config.embed_dim / config.num_heads;
  const auto frequencies = inverse_frequencies(head_dim / 2, 10000.0, at::kCPU);
  const auto angles =
      (at::cat(places).unsqueeze(-1).to(at::kFloat) * frequencies).flatten(1);  // [P, 2, d/4] -> [P, d/2]
  return {angles.cos().to(options), angles.sin().to(options)};
}

}  // namespace vlsi
