#include "model/module.h"

#include <ATen/ATen.h>
#include <ATen/core/LegacyTypeDispatch.h>

namespace vlsi {

NamedTensors Module::named_parameters() const {
  NamedTensors all = parameters_;
  for (const auto& [name, child] : children_) {
    for (auto& [inner, parameter] : child->named_parameters())
      all.emplace_back(name + "." + inner, std::move(parameter));
  }
  return all;
}

void Module::for_each_module(const std::function<void(const std::string&, Module&)>& visit) const {
  for (const auto& [name, child] : children_) {
    visit(name, *child);
    child->for_each_module(
        [&, prefix = name + "."](const std::string& inner, Module& module) { visit(prefix + inner, module); });
  }
}

at::Tensor Module::register_parameter(std::string name, at::Tensor parameter) {
  parameters_.emplace_back(std::move(name), parameter);
  return parameter;
}

at::Tensor Module::register_parameter(std::string name, at::IntArrayRef shape) {
  at::AutoDispatchBelowADInplaceOrView no_view;  // the shape is all that there is: not a view of anything to autograd
  return register_parameter(std::move(name), at::empty({}, at::kFloat).expand(shape));
}

void move_to(const Module& module, at::Device device) {
  for (auto& [name, parameter] : module.named_parameters()) parameter.set_data(parameter.to(device));
}

void allocate(const Module& module) {
  for (auto& [name, parameter] : module.named_parameters()) {
    parameter.set_data(at::empty(parameter.sizes(), parameter.options().requires_grad(false)));
  }
}

double num_values(const Module& module) {
  double sum = 0;
  for (const auto& [name, parameter] : module.named_parameters()) sum += static_cast<double>(parameter.numel());
  return sum;
}

}  // namespace vlsi
