// The KL divergence between what every teacher layer and every student layer says.
// (S student layers, L teacher layers, N answer positions, D student width, V vocabulary rows)
#pragma once

#include <ATen/core/Tensor.h>

namespace vlsi {

/// A teacher's layers as the student needs them: each is a vector and a number a position.
struct TeacherSummary {
  at::Tensor expected_row;    // [L, N, D], the student head's rows averaged under the teacher layer's distribution
  at::Tensor entropy;         // [L, N], of that distribution, nats
  at::Tensor advantage = {};  // [N], where it was asked for: visual_advantage of the last layer
};

/// TeacherSummary of live hidden rows: u [L, N, Dl] as the teacher's head reads them, teacher_head [V, Dl],
/// student_head [V, D]. Both heads are cut to the vocabulary rows that they share.
TeacherSummary summarize_teacher(const at::Tensor& u, const at::Tensor& teacher_head, const at::Tensor& student_head);

/// Forward KL of every teacher layer l to every student layer s, nats, mean over the N positions by their `weights` [N]
/// f32, above 0 (undefined: 1 each): [S, L]. With p_l the
/// teacher's and q_s the student's distribution, logsumexp c, H the entropy:
///     KL(s, l) = c_s - B_l · u_s - H_l        dKL(s, l)/du_s = (A_s - B_l) w / sum of w
/// where A_s and B_l are the head's rows averaged under q_s and p_l (docs/method.md). u [S, N, D], head [V, D];
/// gradient to u alone. Without positions it is zero.
at::Tensor all_pairs_kl(const at::Tensor& u, const at::Tensor& head, const TeacherSummary& teacher,
                        const at::Tensor& weights = {});

/// The definition: every pair's distributions side by side, with PyTorch's own gradient. u_teacher [L, N, Dl].
at::Tensor all_pairs_kl_plain(const at::Tensor& u, const at::Tensor& head, const at::Tensor& u_teacher,
                              const at::Tensor& teacher_head);

}  // namespace vlsi
