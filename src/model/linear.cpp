#include "model/linear.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <torch/csrc/autograd/custom_function.h>

#include <cmath>

#include "model/cpu/row_products.h"
#include "model/product.h"

namespace vlsi {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

/// y = x Wᵀ + b + scale · (x Aᵀ) Bᵀ as one operation: products add to what is there, forward and backward, where a
/// graph of single ones would write each term and then their sum. x [T, in].
class AdaptedMap : public torch::autograd::Function<AdaptedMap> {
 public:
  using Optional = std::optional<at::Tensor>;

  static at::Tensor forward(AutogradContext* context, const at::Tensor& x, const at::Tensor& weight,
                            const Optional& bias, const Optional& lora_a, const Optional& lora_b, double scale,
                            bool with_values) {
    const auto dtype = x.scalar_type();
    auto y = with_values ? affine(x, weight, bias) : at::zeros({x.size(0), weight.size(0)}, x.options());
    at::Tensor a, b, low_rank;
    if (lora_a) {
      // In the activations' dtype: in float32, adapters of rank 64 would take longer than the maps that they stand
      // beside.
      a = lora_a->to(dtype);
      b = lora_b->to(dtype);
      low_rank = product(x, a.t());  // [T, rank]
      if (with_values) add_product(y, low_rank, b.t(), scale);
    }
    context->save_for_backward({x, weight, a, b, low_rank});
    context->saved_data["scale"] = scale;
    context->saved_data["has_bias"] = bias.has_value();
    return y;
  }

  static variable_list backward(AutogradContext* context, variable_list gradients) {
    const auto saved = context->get_saved_variables();
    const auto &x = saved[0], &weight = saved[1], &a = saved[2], &b = saved[3], &low_rank = saved[4];
    const double scale = context->saved_data["scale"].toDouble();
    const auto& g = gradients[0];  // [T, out]
    size_t num_inputs = 0;         // gradients are asked for by their place among the inputs that there are
    const auto wants_next = [&] { return context->needs_input_grad(num_inputs++); };
    at::Tensor g_x, g_weight, g_bias, g_a, g_b;
    if (wants_next()) g_x = product(g, weight);
    if (wants_next()) g_weight = product(g.t(), x);
    if (context->saved_data["has_bias"].toBool() && wants_next()) g_bias = g.sum(0);
    if (a.defined()) {
      const auto g_low_rank = product(g, b);  // [T, rank]
      if (g_x.defined()) add_product(g_x, g_low_rank, a, scale);
      const auto in_float32 = [&](const at::Tensor& gradient) { return gradient.to(at::kFloat).mul_(scale); };
      if (wants_next()) g_a = in_float32(product(g_low_rank.t(), x));
      if (wants_next()) g_b = in_float32(product(g.t(), low_rank));
    }
    return {g_x, g_weight, g_bias, g_a, g_b, at::Tensor(), at::Tensor()};
  }
};

}  // namespace

Linear::Linear(int64_t in_features, int64_t out_features, bool with_bias) {
  weight_ = register_parameter("weight", {out_features, in_features});
  if (with_bias) bias_ = register_parameter("bias", {out_features});
}

at::Tensor Linear::map(const at::Tensor& x, bool with_values) const {
  auto sizes = x.sizes().vec();
  sizes.back() = weight_.size(0);
  const auto given = [](const at::Tensor& parameter) {
    return parameter.defined() ? std::optional(parameter) : std::nullopt;
  };
  const auto weight = quantized_ ? quantized_->dequantized(x.scalar_type()) : weight_;
  return AdaptedMap::apply(x.reshape({-1, weight_.size(1)}), weight, given(bias_), given(lora_a_), given(lora_b_),
                           lora_scale_, with_values)
      .view(sizes);
}

at::Tensor Linear::forward(const at::Tensor& x) const { return map(x, /*with_values=*/true); }

at::Tensor Linear::forward_rows(const at::Tensor& x) const { return forward_rows_together(x, {this}).front(); }

at::Tensor Linear::adapted_rows(const at::Tensor& x) const {
  return row_products(row_products(x.to(at::kFloat), lora_a_, {}, at::kFloat), lora_b_, {}, at::kFloat)
      .mul_(lora_scale_);
}

void Linear::quantize(Quantization kind) { set_quantized(quantize_weight(weight_, kind)); }

void Linear::set_quantized(QuantizedWeight weight) {
  TORCH_CHECK(!is_quantized() && !weight_.requires_grad(), "a weight that learns, or is quantised already");
  quantized_ = std::move(weight);
  weight_.set_data(without_values(weight_));
}

at::Tensor Linear::forward_without_values(const at::Tensor& x) const { return map(x, /*with_values=*/false); }

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
  TORCH_CHECK(!is_quantized(), "a quantised weight is not what the map was trained to be");
  if (!has_lora()) return weight_.to(dtype);
  auto sum = at::mm(lora_b_, lora_a_).mul_(lora_scale_).to(at::kFloat);
  return sum.add_(weight_).to(dtype);  // in place: a model is written with little room beside it
}

std::vector<at::Tensor> forward_together(const at::Tensor& x, const std::vector<const Linear*>& maps) {
  constexpr int64_t kMaxJoinedValues = int64_t{1}
                                       << 18;  // above it a product is wide enough alone, and joining costs memory
  int64_t num_values = 0;
  bool joinable = x.is_cpu() && !multiplies_in_float32(x);
  for (const auto* map : maps) {
    num_values += map->weight().numel();
    joinable =
        joinable && !map->has_lora() && !map->is_quantized() && map->bias().defined() == maps.front()->bias().defined();
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

std::vector<at::Tensor> forward_rows_together(const at::Tensor& x, const std::vector<const Linear*>& maps) {
  std::vector<RowMap> products;
  bool few_rows = !at::GradMode::is_enabled(), adapted = false;
  for (const auto* map : maps) {
    products.push_back({map->weight_, map->quantized_ ? &*map->quantized_ : nullptr, map->bias_});
    few_rows = few_rows && has_row_products(x, products.back());
    adapted = adapted || map->has_lora();
  }
  if (!few_rows) return forward_together(x, maps);
  auto outputs = row_products(x, products, adapted ? at::kFloat : x.scalar_type());
  if (!adapted) return outputs;
  for (size_t i = 0; i < maps.size(); ++i) {
    if (maps[i]->has_lora()) outputs[i].add_(maps[i]->adapted_rows(x));
    outputs[i] = outputs[i].to(x.scalar_type());
  }
  return outputs;
}

}  // namespace vlsi
