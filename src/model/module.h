// A tree of named parameters, as checkpoints name them.
//
// Much less than torch::nn::Module, whose header costs every source file seconds to compile: names, and nothing else.
#pragma once

#include <ATen/core/Tensor.h>

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/safetensors.h"

namespace vlsi {

class Module {
 public:
  virtual ~Module() = default;

  /// Every parameter with its dotted name, in the order of registration, children behind a module's own. The tensors
  /// are the parameters themselves: set_data on one changes the module.
  NamedTensors named_parameters() const;

  /// Calls `visit` with every module below this one and its dotted name.
  void for_each_module(const std::function<void(const std::string& name, Module& module)>& visit) const;

  template <class Child>
  std::shared_ptr<Child> register_module(std::string name, std::shared_ptr<Child> child) {
    children_.emplace_back(std::move(name), child);
    return child;
  }
  /// A float32 parameter of this shape, without values and without memory for them: set_data gives it both.
  at::Tensor register_parameter(std::string name, at::IntArrayRef shape);
  /// A parameter with values.
  at::Tensor register_parameter(std::string name, at::Tensor parameter);

 private:
  NamedTensors parameters_;
  std::vector<std::pair<std::string, std::shared_ptr<Module>>> children_;
};

/// Moves every parameter to `device`.
void move_to(const Module& module, at::Device device);

/// Gives every parameter memory of its own, with any values.
void allocate(const Module& module);

/// How many values the parameters of `module` have, in memory or not.
double num_values(const Module& module);

}  // namespace vlsi
