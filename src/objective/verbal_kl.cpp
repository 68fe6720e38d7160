#include "objective/verbal_kl.h"

#include <ATen/ATen.h>
#include <torch/csrc/autograd/custom_function.h>

#include <algorithm>
#include <optional>
#include <vector>

#include "base/send.h"
#include "objective/head_summary.h"

namespace vlsi {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

int64_t shared_rows(const at::Tensor& one, const at::Tensor& other) { return std::min(one.size(0), other.size(0)); }

/// How the N positions of a mean count.
struct Positions {
  at::Tensor weights;  // [N]; undefined: 1 each
  double sum;          // of the weights; one where there are no positions, so that a mean over nothing is zero

  Positions(const at::Tensor& rows, const at::Tensor& given)  // rows [layers, N, D]
      : weights(given), sum(static_cast<double>(std::max<int64_t>(1, rows.size(1)))) {
    if (given.defined() && given.numel() > 0) sum = given.sum(at::kDouble).item<double>();
  }

  /// `values` [layers, N] or [layers, N, D], each times its position's weight.
  at::Tensor weigh(const at::Tensor& values) const {
    if (!weights.defined()) return values;
    const auto there = send(weights, values.device()).to(values.scalar_type());
    return values * (values.dim() == 3 ? there.unsqueeze(-1) : there);
  }
};

class AllPairsKl : public torch::autograd::Function<AllPairsKl> {
 public:
  static at::Tensor forward(AutogradContext* context, const at::Tensor& u, const at::Tensor& head,
                            const at::Tensor& teacher_row, const at::Tensor& teacher_entropy,
                            const std::optional<at::Tensor>& given_weights) {
    const auto weights = given_weights.value_or(at::Tensor());
    const auto student = head_summary(u, head, head);
    const auto wide = as_head_reads(u, head).to(student.logsumexp.scalar_type());
    const Positions positions(u, weights);
    context->save_for_backward({student.expected_row, teacher_row, weights});
    context->saved_data["dtype"] = u.scalar_type();
    const auto agreement = at::einsum("snd,lnd->sl", {positions.weigh(wide), teacher_row});  // [S, L]
    const auto sums = positions.weigh(student.logsumexp).sum(1).unsqueeze(1) - agreement -
                      positions.weigh(teacher_entropy).sum(1).unsqueeze(0);
    return sums / positions.sum;
  }

  static variable_list backward(AutogradContext* context, variable_list gradients) {
    const auto saved = context->get_saved_variables();
    const auto &student_row = saved[0], &teacher_row = saved[1];  // [S, N, D], [L, N, D]
    const auto& weight = gradients[0];                            // [S, L]
    const auto pulled = at::einsum("sl,lnd->snd", {weight, teacher_row});
    const Positions positions(student_row, saved[2]);
    const auto gradient = positions.weigh(weight.sum(1).view({-1, 1, 1}) * student_row - pulled) / positions.sum;
    return {gradient.to(context->saved_data["dtype"].toScalarType()), at::Tensor(), at::Tensor(), at::Tensor(),
            at::Tensor()};
  }
};

}  // namespace

TeacherSummary summarize_teacher(const at::Tensor& u, const at::Tensor& teacher_head, const at::Tensor& student_head) {
  const int64_t num_rows = shared_rows(teacher_head, student_head);
  const auto summary = head_summary(u, teacher_head.narrow(0, 0, num_rows), student_head.narrow(0, 0, num_rows));
  return {summary.expected_row, summary.entropy};
}

at::Tensor all_pairs_kl(const at::Tensor& u, const at::Tensor& head, const TeacherSummary& teacher,
                        const at::Tensor& weights) {
  TORCH_CHECK(u.size(1) == teacher.entropy.size(1), "student and teacher differ in answer positions");
  return AllPairsKl::apply(u, head.detach(), teacher.expected_row, teacher.entropy,
                           weights.defined() ? std::optional(weights) : std::nullopt);
}

at::Tensor all_pairs_kl_plain(const at::Tensor& u, const at::Tensor& head, const at::Tensor& u_teacher,
                              const at::Tensor& teacher_head) {
  const int64_t num_rows = shared_rows(head, teacher_head);
  const auto log_q = at::log_softmax(at::matmul(u, head.narrow(0, 0, num_rows).t()), -1);                  // [S, N, V]
  const auto log_p = at::log_softmax(at::matmul(u_teacher, teacher_head.narrow(0, 0, num_rows).t()), -1);  // [L, N, V]
  std::vector<at::Tensor> rows;
  for (const auto& q : log_q.unbind()) rows.push_back((log_p.exp() * (log_p - q)).sum(-1).mean(-1));
  return at::stack(rows);
}

}  // namespace vlsi
