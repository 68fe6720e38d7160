// The step-2 loss on the shapes of Qwen2-VL, and the ways to compute it that are measured against each other.
// (S student and L teacher layers, the last of each the model's own; N answer positions, D width, V vocabulary rows)
#pragma once

#include <ATen/core/Tensor.h>

namespace vlsi {

inline constexpr int64_t kStudentWidth = 1536, kVocabSize = 151936, kTeacherVocabSize = 152064;

/// Language heads in bfloat16. The teacher's begins with the student's columns: hidden rows that agree there say nearly
/// the same.
struct Heads {
  at::Tensor student;  // [V, kStudentWidth]
  at::Tensor teacher;  // [kTeacherVocabSize, teacher width]
};

/// V = vocab_size, fewer for a quick look; teacher_width at least kStudentWidth. The same numbers in every run.
Heads make_heads(int64_t teacher_width, int64_t vocab_size = kVocabSize);

/// Hidden rows, float32 numbers that bfloat16 holds exactly.
struct Hidden {
  at::Tensor student;  // [S, N, kStudentWidth]
  at::Tensor teacher;  // [L, N, teacher width]
};

/// Rows whose distributions are like a language model's: logits of standard deviation 2.8 (shallow) to 4.4 (deep) times
/// a factor a position, and layers of equal relative depth that agree but for noise.
Hidden make_hidden(const Heads& heads, int64_t num_student, int64_t num_teacher, int64_t num_positions);

struct StepResult {
  double loss;          // nats, mean over the positions
  at::Tensor gradient;  // of it, to the student's rows, [S, N, kStudentWidth] float32
};

/// Algorithm 1 over the first S - 1 and L - 1 layers, the last layers' KL added, and the gradient; draws are seeded.
StepResult step_ours(const Heads& heads, const Hidden& hidden);

/// Two readings of Algorithm 1 where all logits are there.
enum class Reading {
  kPairByPair,  // to the letter: each candidate's KL on its own, from the two layers' logits through log_softmax and
                // kl_div; the loss adds the one that was drawn
  kShared,      // kindly: a layer's log-probabilities are made once, and its logits dropped; a candidate's KL is made
            // without gradient, for the choice alone, and not at all where there is no choice; the one drawn again with
            // gradient
};

/// The same with every layer's logits over the whole vocabulary, in `dtype` (bfloat16 or float32), and PyTorch's
/// autograd; softmax and KL in float32.
StepResult step_materialised(const Heads& heads, const Hidden& hidden, at::ScalarType dtype, Reading reading);

}  // namespace vlsi
