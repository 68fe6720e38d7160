// Step 2, interaction: each student layer finds the teacher layer whose words it follows, and learns them.
#pragma once

#include <string>

#include "method/config.h"
#include "method/teacher.h"
#include "objective/logit_l2.h"
#include "train/trainer.h"

namespace vlsi {

/// What step 2 works on; all of it outlives the step.
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

/// Error naming `place` when logits are compared and interact.train changes the student's head.
void check_head_stays(const InteractConfig& config, const ModelConfig& student, const std::string& place);

/// The loss of section 3.2 and Algorithm 1: the KL of every matched pair of layers, plus the KL at the last layer; each
/// of the two may be another loss by the configuration. Gradient to the student alone (and its verbalizers, where they
/// learn). Logs, for KL and, with l2 in the place of kl, for squared differences: `matches` [[student layer, teacher
/// layer], ...], `kl` of each, or `match_weights` [t_s, t_l] where all pairs take part; `kl_matrix` [t_s, t_l];
/// `last_kl`. For cross entropy, `layer_loss` [t_s] and `last_loss`.
StepOutput interact(const Interaction& interaction, const Batch& batch);

}  // namespace vlsi
