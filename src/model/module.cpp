#include "model/module.h"

#include <ATen/ATen.h>

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

void move_to(const Module& module, at::Device device) {
  for (auto& [name, parameter] : module.named_parameters()) parameter.set_data(parameter.to(device));
}

}  // namespace vlsi
