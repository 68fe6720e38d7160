#include "family/llava_onevision/projector.h"

#include <ATen/ATen.h>

#include <algorithm>

#include "family/llava_onevision/views.h"

namespace vlsi {

LlavaOnevisionProjector::LlavaOnevisionProjector(const LlavaOnevisionConfig& config) : config_(config) {
  const int64_t width = config.text_hidden_size;
  newline_ = register_parameter("image_newline", {width});
  linear_1_ = register_module("linear_1", std::make_shared<Linear>(config.hidden_size, width, /*with_bias=*/true));
  linear_2_ = register_module("linear_2", std::make_shared<Linear>(width, width, /*with_bias=*/true));
}

at::Tensor LlavaOnevisionProjector::arrange(const at::Tensor& rows, const PictureShape& picture) const {
  const auto [views, filled] = layout_of(picture);
  if (views.height == 0) return at::cat({rows, newline_.unsqueeze(0)});
  const int64_t side = config_.side(), base = config_.view_patches();
  const Sides all{views.height * side, views.width * side}, kept = kept_patches(filled, config_);
  auto grid = rows.slice(0, base)
                  .view({views.height, views.width, side, side, -1})
                  .transpose(1, 2)
                  .reshape({all.height, all.width, -1})  // [rows of patches, columns of patches, D]
                  .narrow(0, (all.height - filled.height) / 2, filled.height)
                  .narrow(1, (all.width - filled.width) / 2, filled.width);
  if (kept != filled) {
    const auto channels_first = grid.permute({2, 0, 1}).unsqueeze(0);  // [1, D, rows, columns]
    grid = at::upsample_bilinear2d(channels_first, {kept.height, kept.width}, /*align_corners=*/false)
               .squeeze(0)
               .permute({1, 2, 0});
  }
  const auto lines = at::cat({grid, newline_.expand({kept.height, 1, -1})}, 1);  // [rows, columns + 1, D]
  return at::cat({rows.slice(0, 0, base), lines.flatten(0, 1)});
}

PictureRows LlavaOnevisionProjector::project(const at::Tensor& features, std::span<const PictureShape> pictures) const {
  const auto mapped = linear_2_->forward(at::gelu(linear_1_->forward(features)));
  std::vector<int64_t> sizes;
  for (const auto& picture : pictures) sizes.push_back(picture.num_patches);
  const auto of_pictures = mapped.split_with_sizes(sizes);
  std::vector<at::Tensor> rows;
  for (size_t i = 0; i < pictures.size(); ++i) rows.push_back(arrange(of_pictures[i], pictures[i]));
  return {at::cat(rows), {}};
}

double LlavaOnevisionProjector::patches_a_row() const {
  // The most that a token of a picture that fills its grid stands for.
  double most = 1;
  for (const auto& [height, width] : config_.grid_pixels) {
    const auto shape = shape_of_grid({height, width}, config_);
    most = std::max(most, static_cast<double>(shape.num_patches) / static_cast<double>(shape.num_rows));
  }
  return most;
}

Cost LlavaOnevisionProjector::cost(double num_patches) const {
  Cost cost;
  cost.operations = num_patches * 2 * num_values(*this);
  return cost;
}

}  // namespace vlsi
