// Step 2, interaction: each student layer finds the teacher layer whose words it follows, and learns them.
#pragma once

#include "method/interaction.h"

namespace vlsi {

/// The loss of section 3.2 and Algorithm 1: the KL of every matched pair of layers, plus the KL at the last layer; each
/// of the two may be another loss by the configuration. Gradient to the student alone (and its verbalizers, where they
/// learn). Logs, for KL and, with l2 in the place of kl, for squared differences: `matches` [[student layer, teacher
/// layer], ...] and `kl` of each, or `match_weights` [t_s, t_l] where all pairs take part; `kl_matrix` [t_s, t_l]; and
/// what interaction_losses logs.
StepOutput interact(const Interaction& interaction, const Batch& batch);

}  // namespace vlsi
