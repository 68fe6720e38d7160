#include "objective/cross_entropy.h"

#include <ATen/ATen.h>
#include <torch/csrc/autograd/custom_function.h>

#include "objective/head_summary.h"

namespace vlsi {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

class CrossEntropy : public torch::autograd::Function<CrossEntropy> {
 public:
  static at::Tensor forward(AutogradContext* context, const at::Tensor& u, const at::Tensor& head,
                            const at::Tensor& labels) {
    const auto summary = head_summary(u, head, head);
    const auto wide = summary.logsumexp.scalar_type();
    const auto label_row = head.index_select(0, labels).to(wide);  // [N, D]
    const auto label_logit = (as_head_reads(u, head).to(wide) * label_row).sum(-1);
    context->save_for_backward({u, head, labels, summary.logsumexp, summary.expected_row - label_row});
    return summary.logsumexp - label_logit;
  }

  static variable_list backward(AutogradContext* context, variable_list gradients) {
    const auto saved = context->get_saved_variables();
    const auto &u = saved[0], &head = saved[1], &labels = saved[2], &logsumexp = saved[3], &difference = saved[4];
    const auto gradient_u = (gradients[0].unsqueeze(-1) * difference).to(u.scalar_type());
    const auto gradient_head =
        context->needs_input_grad(1) ? head_gradient(u, head, labels, logsumexp, gradients[0]) : at::Tensor();
    return {gradient_u, gradient_head, at::Tensor()};
  }
};

}  // namespace

at::Tensor cross_entropy(const at::Tensor& u, const at::Tensor& head, const at::Tensor& labels) {
  return CrossEntropy::apply(u, head, labels);
}

at::Tensor cross_entropy_plain(const at::Tensor& u, const at::Tensor& head, const at::Tensor& labels) {
  const auto logits = at::matmul(u, head.t());  // [S, N, V]
  const auto index = labels.view({1, -1, 1}).expand({u.size(0), -1, 1});
  return -at::log_softmax(logits, -1).gather(-1, index).squeeze(-1);
}

}  // namespace vlsi
