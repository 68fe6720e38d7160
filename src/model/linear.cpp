#include "model/linear.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <cmath>

namespace vlsi {

Linear::Linear(int64_t in_features, int64_t out_features, bool with_bias) {
  weight_ = register_parameter("weight", at::empty({out_features, in_features}));
  if (with_bias) bias_ = register_parameter("bias", at::empty({out_features}));
}

at::Tensor Linear::forward(const at::Tensor& x) const {
  const auto y = at::linear(x, weight_, bias_.defined() ? std::optional(bias_) : std::nullopt);
  if (!has_lora()) return y;
  const auto dtype = x.scalar_type();
  if (dtype == lora_a_.scalar_type()) return y + at::linear(at::linear(x, lora_a_), lora_b_) * lora_scale_;
  // In the activations' dtype, and added by the product itself: in float32, adapters of rank 64 would take longer than the maps
  // that they stand beside.
  const auto low_rank = at::linear(x, lora_a_.to(dtype)).flatten(0, -2);  // [T, rank]
  return at::addmm(y.flatten(0, -2), low_rank, lora_b_.to(dtype).t(), 1, lora_scale_).view_as(y);
}

void Linear::add_lora(int64_t rank, double alpha, at::Generator generator) {
  const int64_t out_features = weight_.size(0), in_features = weight_.size(1);
  const double bound = 1 / std::sqrt(static_cast<double>(in_features));
  set_lora(at::empty({rank, in_features}, at::kFloat).uniform_(-bound, bound, std::move(generator)),
           at::zeros({out_features, rank}, at::kFloat), alpha / static_cast<double>(rank));
}

void Linear::set_lora(const at::Tensor& a, const at::Tensor& b, double scale) {
  TORCH_CHECK(!has_lora(), "the linear map has an adapter already");
  TORCH_CHECK(a.dim() == 2 && b.dim() == 2 && a.size(0) == b.size(1) && a.size(1) == weight_.size(1) &&
                  b.size(0) == weight_.size(0),
              "an adapter of ", a.sizes(), " and ", b.sizes(), " beside a weight of ", weight_.sizes());
  const auto options = at::TensorOptions(weight_.device()).dtype(at::kFloat);
  lora_a_ = register_parameter("lora_A", a.to(options));
  lora_b_ = register_parameter("lora_B", b.to(options));
  lora_scale_ = scale;
}

at::Tensor Linear::merged_weight(at::ScalarType dtype) const {
  at::NoGradGuard no_grad;
  if (!has_lora()) return weight_.to(dtype);
  return (weight_.to(at::kFloat) + at::mm(lora_b_, lora_a_) * lora_scale_).to(dtype);
}

std::vector<at::Tensor> forward_together(const at::Tensor& x, const std::vector<const Linear*>& maps) {
  constexpr int64_t kMaxJoinedValues = int64_t{1} << 18;  // above it a product is wide enough alone, and joining costs memory
  int64_t num_values = 0;
  bool joinable = x.is_cpu();
  for (const auto* map : maps) {
    num_values += map->weight().numel();
    joinable = joinable && !map->has_lora() && map->bias().defined() == maps.front()->bias().defined();
  }
  std::vector<at::Tensor> weights, biases;
  if (!joinable || num_values > kMaxJoinedValues) {
    std::vector<at::Tensor> outputs;
    for (const auto* map : maps) outputs.push_back(map->forward(x));
    return outputs;
  }
  std::vector<int64_t> sizes;
  for (const auto* map : maps) {
    weights.push_back(map->weight());
    if (map->bias().defined()) biases.push_back(map->bias());
    sizes.push_back(map->weight().size(0));
  }
  const auto bias = biases.empty() ? std::nullopt : std::optional(at::cat(biases));
  return at::linear(x, at::cat(weights), bias).split_with_sizes(sizes, -1);
}

}  // namespace vlsi
