#include "train/gradient_hooks.h"

#include <torch/csrc/autograd/function_hook.h>
#include <torch/csrc/autograd/variable.h>

#include <memory>

namespace vlsi {
namespace {

using torch::autograd::impl::set_post_acc_grad_hooks;

class GradientHook : public torch::autograd::PostAccumulateGradHook {
 public:
  GradientHook(const std::function<void(size_t)>& action, size_t index) : action_(action), index_(index) {}
  void operator()(const at::Tensor&) override { action_(index_); }

 private:
  const std::function<void(size_t)> action_;
  const size_t index_;
};

}  // namespace

GradientHooks::GradientHooks(const std::vector<at::Tensor>& parameters, const std::function<void(size_t)>& action)
    : parameters_(parameters) {
  for (size_t i = 0; i < parameters_.size(); ++i) {
    set_post_acc_grad_hooks(parameters_[i], std::make_unique<GradientHook>(action, i));
  }
}

GradientHooks::~GradientHooks() {
  for (const auto& parameter : parameters_) set_post_acc_grad_hooks(parameter, nullptr);
}

}  // namespace vlsi
