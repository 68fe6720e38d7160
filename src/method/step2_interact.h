// Step 2, interaction: each student layer finds the teacher layer whose words it follows, and learns them.
#pragma once

#include "method/config.h"
#include "method/teacher.h"
#include "train/trainer.h"

namespace vlsi {

/// What step 2 works on; all of it outlives the step.
struct Interaction {
  const Vlm& student;
  const Verbalizers* verbalizers;  // the student's, frozen; null where no intermediate layer takes part
  Teacher teacher;
  const InteractConfig& config;
  Random& random;
  int32_t end_of_turn;
};

/// The loss of section 3.2 and Algorithm 1: the KL of every matched pair of layers, plus the KL at the last layer. Gradient to the
/// student alone. Logs `matches` [[student layer, teacher layer], ...], `kl` of each, `last_kl`, and `kl_matrix` [t_s, t_l].
StepOutput interact(const Interaction& interaction, const Batch& batch);

}  // namespace vlsi
