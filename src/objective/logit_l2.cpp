#include "objective/logit_l2.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <algorithm>
#include <vector>

#include "base/send.h"
#include "objective/cpu/tile_products.h"

namespace vlsi {
namespace {

at::Tensor widened(const at::Tensor& x) { return x.to(at::promote_types(x.scalar_type(), at::kFloat)); }

/// Mean over N, by `weights` where they are defined, of (own [S, N] - 2 u · row + norm [L, N]) / divisor, with row
/// [L, N, D]: [S, L]. The difference is taken at each position, before anything is added up over them.
at::Tensor squared_differences(const at::Tensor& own, const at::Tensor& u, const at::Tensor& row,
                               const at::Tensor& norm, int64_t divisor, const at::Tensor& weights) {
  const auto agreement = at::einsum("snd,lnd->sln", {u, row});                   // [S, L, N]
  const auto difference = own.unsqueeze(1) - 2 * agreement + norm.unsqueeze(0);  // [S, L, N]
  if (weights.defined() && weights.numel() > 0) {
    const auto wide = send(weights, difference.device()).to(difference.scalar_type());
    return (difference * wide).sum(-1) / (wide.sum() * divisor);
  }
  return difference.sum(-1) / static_cast<double>(std::max<int64_t>(1, u.size(1)) * divisor);
}

}  // namespace

HeadGrams head_grams(const at::Tensor& student_head, const at::Tensor& teacher_head) {
  at::NoGradGuard no_grad;
  const int64_t num_rows = std::min(student_head.size(0), teacher_head.size(0));
  const auto options = student_head.options().dtype(at::kDouble).requires_grad(false);
  const int64_t s = student_head.size(1), l = teacher_head.size(1);
  HeadGrams grams{at::zeros({s, s}, options), at::zeros({s, l}, options), at::zeros({l, l}, options), num_rows};
  for (int64_t first = 0; first < num_rows; first += kTileRows) {
    const int64_t count = std::min(kTileRows, num_rows - first);
    const auto student = widened(student_head.narrow(0, first, count));
    const auto teacher = widened(teacher_head.narrow(0, first, count)).to(student.scalar_type());
    grams.student += at::mm(student.t(), student);
    grams.cross += at::mm(student.t(), teacher);
    grams.teacher += at::mm(teacher.t(), teacher);
  }
  const auto type = at::promote_types(student_head.scalar_type(), at::kFloat);
  for (auto* gram : {&grams.student, &grams.cross, &grams.teacher}) *gram = gram->to(type);
  return grams;
}

TeacherLogits summarize_teacher_logits(const at::Tensor& u, const HeadGrams& grams) {
  at::NoGradGuard no_grad;
  const auto wide = u.to(grams.teacher.scalar_type());
  return {at::matmul(wide, grams.cross.t()), (at::matmul(wide, grams.teacher) * wide).sum(-1)};
}

at::Tensor all_pairs_logit_l2(const at::Tensor& u, const HeadGrams& grams, const TeacherLogits& teacher,
                              const at::Tensor& weights) {
  TORCH_CHECK(u.size(1) == teacher.squared_norm.size(1), "student and teacher differ in answer positions");
  const auto wide = u.to(grams.student.scalar_type());
  const auto own = (at::matmul(wide, grams.student) * wide).sum(-1);  // [S, N]
  return squared_differences(own, wide, teacher.pulled_row, teacher.squared_norm, grams.num_rows, weights);
}

at::Tensor all_pairs_logit_l2_plain(const at::Tensor& u, const at::Tensor& head, const at::Tensor& u_teacher,
                                    const at::Tensor& teacher_head) {
  const int64_t num_rows = std::min(head.size(0), teacher_head.size(0));
  const auto student = at::matmul(u, head.narrow(0, 0, num_rows).t());                  // [S, N, V]
  const auto teacher = at::matmul(u_teacher, teacher_head.narrow(0, 0, num_rows).t());  // [L, N, V]
  std::vector<at::Tensor> rows;
  for (const auto& z : student.unbind()) rows.push_back((z - teacher).square().mean({1, 2}));
  return at::stack(rows);
}

at::Tensor all_pairs_row_l2(const at::Tensor& u, const at::Tensor& target, const at::Tensor& weights) {
  TORCH_CHECK(u.sizes().slice(1) == target.sizes().slice(1), "rows of ", u.sizes(), " and ", target.sizes(),
              " do not compare");
  const auto wide = widened(u), fixed = target.detach().to(wide.scalar_type());
  return squared_differences(wide.square().sum(-1), wide, fixed, fixed.square().sum(-1), u.size(2), weights);
}

}  // namespace vlsi
