// What step 2 works on, and its losses before any teacher layer is chosen.
// (t_s and t_l target layers of student and teacher, N answer positions)
#pragma once

#include <string>

#include "method/config.h"
#include "method/teacher.h"
#include "objective/logit_l2.h"
#include "train/trainer.h"

namespace vlsi {

/// All of it outlives the step.
struct Interaction {
  const Vlm& student;
  /// The student's, frozen; null where no intermediate layer takes part. Without heads they learn with the student, and
  /// end in the teacher's width.
  const Verbalizers* verbalizers;
  Teacher teacher;
  const InteractConfig& config;
  Random& random;
  int32_t end_of_turn;
  const HeadGrams* grams = nullptr;  // of both heads, where logits_are_compared
};

/// Whether a loss is the squared difference of logits, for which both heads must stay as they are.
bool logits_are_compared(const InteractConfig& config);

/// Whether a loss reads the teacher at all.
bool teacher_is_read(const InteractConfig& config);

/// Error naming `place` when interact.train changes the student's head, but logits are compared, or the teacher is read
/// from a cache, which holds averages of the head's rows.
void check_head_stays(const InteractConfig& config, const ModelConfig& student, const std::string& place,
                      bool cached_teacher = false);

/// Means over the N positions, with gradient to the student alone (and its verbalizers, where they learn); undefined
/// where the configuration has no such loss.
struct InteractionLosses {
  at::Tensor pairs;    // [t_s, t_l], of every student layer with every teacher layer: KL, or squared difference
  at::Tensor answers;  // [], summed over the target layers where they learn the answers and not from the teacher
  at::Tensor last;     // [], at the last layer
};

/// The losses of a micro-batch. Logs into `output`: `last_kl` or `last_l2`; for cross entropy, `layer_loss` [t_s] and
/// `last_loss`. Error naming layer and sample where student or teacher say what is not a number.
InteractionLosses interaction_losses(const Interaction& interaction, const Batch& batch, StepOutput& output);

}  // namespace vlsi
