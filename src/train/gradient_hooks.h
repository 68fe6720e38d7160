// Tells of a gradient as soon as a backward pass has added it up, long before the pass ends.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstddef>
#include <functional>
#include <vector>

namespace vlsi {

/// While it lives, every backward pass calls `action(i)` when it has completed parameters[i].grad(); the action may
/// take the gradient away. A parameter's hook is called once a pass, also where layers are run again within it, and by
/// one thread at a time. What the action throws comes out of the pass.
class GradientHooks {
 public:
  /// Leaves of the graph that require a gradient and have no such hook yet.
  GradientHooks(const std::vector<at::Tensor>& parameters, const std::function<void(size_t)>& action);
  GradientHooks(const GradientHooks&) = delete;
  GradientHooks& operator=(const GradientHooks&) = delete;
  ~GradientHooks();

 private:
  const std::vector<at::Tensor> parameters_;
};

}  // namespace vlsi
