// The squared difference between the logits of every teacher layer and every student layer, without the logits.
// (S student layers, L teacher layers, N answer positions, Ds and Dl their widths, V shared vocabulary rows)
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

namespace vlsi {

/// What squared differences of logits need of two language heads W_s [V, Ds] and W_l [V, Dl]: with z = W u,
///     |W_s u_s - W_l u_l|² = u_sᵀ G_ss u_s - 2 u_sᵀ G_sl u_l + u_lᵀ G_ll u_l
struct HeadGrams {
  at::Tensor student;  // G_ss = W_sᵀ W_s, [Ds, Ds]
  at::Tensor cross;    // G_sl = W_sᵀ W_l, [Ds, Dl]
  at::Tensor teacher;  // G_ll = W_lᵀ W_l, [Dl, Dl]
  int64_t num_rows;    // V
};

/// The Gram matrices over the vocabulary rows that both heads have. Made tile by tile: products in float32 (float64 for
/// float64 heads), their sum over the tiles in float64, rounded once at the end.
HeadGrams head_grams(const at::Tensor& student_head, const at::Tensor& teacher_head);

/// Float32 values that they take, with the cross matrix the other way round.
inline double num_gram_values(double student_width, double teacher_width) {
  return (student_width + teacher_width) * (student_width + teacher_width);
}

/// A teacher's layers as squared differences need them: each is a vector and a number a position.
struct TeacherLogits {
  at::Tensor pulled_row;    // [L, N, Ds], r_l = G_sl u_l
  at::Tensor squared_norm;  // [L, N], n_l = |W_l u_l|²
};

/// TeacherLogits of live hidden rows, u [L, N, Dl] as the teacher's head reads them. Without gradient.
TeacherLogits summarize_teacher_logits(const at::Tensor& u, const HeadGrams& grams);

/// Mean squared difference of the logits of every student layer s and teacher layer l, over positions (by their
/// `weights` [N] f32, undefined: 1 each) and rows: [S, L].
///     L2(s, l) = mean over N of (u_sᵀ G_ss u_s - 2 u_s · r_l + n_l) / V
///     dL2(s, l)/du_s = 2 (G_ss u_s - r_l) / (N V)
/// u [S, N, Ds], of any floating type; gradient to u alone. Without positions it is zero. The value is a difference of
/// larger numbers, so its error is absolute (docs/numerics.md).
at::Tensor all_pairs_logit_l2(const at::Tensor& u, const HeadGrams& grams, const TeacherLogits& teacher,
                              const at::Tensor& weights = {});

/// The definition: every pair's logits side by side. u_teacher [L, N, Dl].
at::Tensor all_pairs_logit_l2_plain(const at::Tensor& u, const at::Tensor& head, const at::Tensor& u_teacher,
                                    const at::Tensor& teacher_head);

/// Mean squared difference of rows of one width D, over positions (by their weights, as above) and columns: [S, L]. u
/// [S, N, D], target [L, N, D]; gradient to u alone. Without positions it is zero.
at::Tensor all_pairs_row_l2(const at::Tensor& u, const at::Tensor& target, const at::Tensor& weights = {});

}  // namespace vlsi
