#include "objective/cross_entropy.h"

#include <ATen/ATen.h>
#include <torch/csrc/autograd/custom_function.h>

#include <algorithm>

#include "objective/head_summary.h"

namespace vlsi {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

/// sum over layers and positions of g (q - onehot(label)) uᵀ, the gradient to the head: the distributions are made again, tile
/// by tile.
at::Tensor head_gradient(const at::Tensor& u, const at::Tensor& head, const at::Tensor& labels, const at::Tensor& logsumexp,
                         const at::Tensor& g) {
  const int64_t num_positions = u.size(1), tile = tile_positions(u.size(0), head.size(0));
  const auto wide_head = head.to(logsumexp.scalar_type());
  auto gradient = at::zeros_like(wide_head);
  for (int64_t first = 0; first < num_positions; first += tile) {
    const int64_t count = std::min(tile, num_positions - first);
    const auto rows = u.narrow(1, first, count).to(wide_head.scalar_type());
    auto q = at::exp(at::matmul(rows, wide_head.t()) - logsumexp.narrow(1, first, count).unsqueeze(-1));  // [S, n, V]
    const auto label = labels.narrow(0, first, count).view({1, count, 1}).expand({u.size(0), count, 1});
    q.scatter_add_(-1, label, at::full_like(label, -1, q.options()));
    q.mul_(g.narrow(1, first, count).unsqueeze(-1));
    gradient.addmm_(q.flatten(0, 1).t(), rows.flatten(0, 1));
  }
  return gradient.to(head.scalar_type());
}

class CrossEntropy : public torch::autograd::Function<CrossEntropy> {
 public:
  static at::Tensor forward(AutogradContext* context, const at::Tensor& u, const at::Tensor& head,
                            const at::Tensor& labels) {
    const auto summary = head_summary(u, head, head);
    const auto label_row = head.index_select(0, labels).to(summary.logsumexp.scalar_type());  // [N, D]
    context->save_for_backward({u, head, labels, summary.logsumexp, summary.expected_row - label_row});
    return summary.logsumexp - (u.to(label_row.scalar_type()) * label_row).sum(-1);
  }

  static variable_list backward(AutogradContext* context, variable_list gradients) {
    const auto saved = context->get_saved_variables();
    const auto &u = saved[0], &head = saved[1], &labels = saved[2], &logsumexp = saved[3], &difference = saved[4];
    const auto gradient_u = (gradients[0].unsqueeze(-1) * difference).to(u.scalar_type());
    const auto gradient_head = context->needs_input_grad(1)
                                   ? head_gradient(u, head, labels, logsumexp, gradients[0])
                                   : at::Tensor();
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
