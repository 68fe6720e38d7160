#include "model/checkpointed_layer.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <torch/csrc/autograd/autograd.h>
#include <torch/csrc/autograd/custom_function.h>

#include <utility>

namespace vlsi {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

/// One call of a layer, but for its input.
struct Call : torch::CustomClassHolder {
  Call(const DecoderLayer& called, DecoderContext shared, int64_t index, at::Tensor wanted)
      : layer(called), context(std::move(shared)), layer_index(index), rows(std::move(wanted)) {}

  at::Tensor operator()(const at::Tensor& x) const { return layer.forward(x, context, layer_index, rows); }

  const DecoderLayer& layer;
  DecoderContext context;
  const int64_t layer_index;
  const at::Tensor rows;
};

/// Its inputs are x and the layer's parameters that learn, so that it is part of the graph also where x has no
/// gradient.
class CheckpointedLayer : public torch::autograd::Function<CheckpointedLayer> {
 public:
  static at::Tensor forward(AutogradContext* context, const c10::intrusive_ptr<Call>& call, const at::Tensor& x,
                            at::TensorList parameters) {
    variable_list saved{x};
    saved.insert(saved.end(), parameters.begin(), parameters.end());
    context->save_for_backward(std::move(saved));
    context->saved_data["call"] = c10::IValue::make_capsule(call);
    return (*call)(x);
  }

  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    auto inputs = context->get_saved_variables();
    const bool wants_input = context->needs_input_grad(0);
    at::AutoGradMode enabled(true);
    inputs[0] = inputs[0].detach().requires_grad_(wants_input);
    const auto call = c10::static_intrusive_pointer_cast<Call>(context->saved_data["call"].toCapsule());
    call->context.values_are_read = false;
    const auto output = (*call)(inputs[0]);
    if (!wants_input) inputs.erase(inputs.begin());
    auto results = torch::autograd::grad({output}, inputs, {gradients[0]}, /*retain_graph=*/false,
                                         /*create_graph=*/false, /*allow_unused=*/true);
    if (!wants_input) results.insert(results.begin(), at::Tensor());
    results.insert(results.begin(), at::Tensor());  // of the call itself
    return results;
  }
};

}  // namespace

at::Tensor forward_checkpointed(const DecoderLayer& layer, const at::Tensor& x, const DecoderContext& context,
                                int64_t layer_index, const at::Tensor& rows) {
  TORCH_CHECK(context.cached == nullptr, "a layer that is run again must not fill a cache");
  std::vector<at::Tensor> parameters;
  for (auto& item : layer.named_parameters()) {
    if (item.second.requires_grad()) parameters.push_back(std::move(item.second));
  }
  if (parameters.empty() && !x.requires_grad()) return layer.forward(x, context, layer_index, rows);
  return CheckpointedLayer::apply(c10::make_intrusive<Call>(layer, context, layer_index, rows), x,
                                  at::TensorList(parameters));
}

}  // namespace vlsi
