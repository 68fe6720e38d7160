// Step 2, interaction: each student layer finds the teacher layer whose words it follows, and learns them.
// (t_s and t_l target layers of student and teacher, N answer positions)
#pragma once

#include "method/answer_weighting.h"
#include "objective/last_loss.h"
#include "objective/layer_matching.h"
#include "objective/logit_l2.h"
#include "teacher/teacher.h"
#include "train/trainer.h"

namespace vlsi {

/// The defaults are the paper's; the others are the rows of its Tables 4(d) and 4(e), and what other programs offer.
struct InteractionConfig {
  MatchingConfig matching;
  LossKind intermediate_loss = LossKind::kKl;  // at the target layers
  LastLoss last_loss;                          // at the last layer
  DivergenceConfig divergence;                 // where last_loss is one
  WeightingConfig weighting;                   // of the answer positions, in every loss
  bool head = true;  // target layers are compared through the language heads, or else by l2 of the verb-FFNs
  double intermediate_weight = 1;  // of the target layers' losses, beside the last layer's
  double intermediate_decay = 0;   // the share of it that is gone in the last iteration
};

/// The weight in an iteration, counted from 0, of `iterations`: it falls linearly from `intermediate_weight` in the
/// first one to 1 - `intermediate_decay` of it in the last.
double intermediate_weight(const InteractionConfig& config, int64_t iteration, int64_t iterations);

/// What step 2 works on. All of it outlives the step.
struct Interaction {
  const Vlm& student;
  /// The student's, frozen; null where no intermediate layer takes part. Without heads they learn with the student, and
  /// end in the teacher's width.
  const Verbalizers* verbalizers;
  Teacher teacher;  // with its visual advantage, where the weighting is on
  const InteractionConfig& config;
  Random& random;
  int32_t end_of_turn;
  const HeadGrams* grams = nullptr;     // of both heads, where logits_are_compared
  PictureFeatures* pictures = nullptr;  // of the student, for Vlm::forward
  double intermediate_weight = 1;
  const NamedTensors* measured = nullptr;  // parameters whose gradients' norms are logged; null: none
};

/// Whether a loss is the squared difference of logits, for which both heads must stay as they are.
bool logits_are_compared(const InteractionConfig& config);

/// Whether a loss reads the teacher's own rows, which a running teacher alone has.
bool teacher_rows_are_read(const InteractionConfig& config);

/// Whether a loss reads the teacher at all.
bool teacher_is_read(const InteractionConfig& config);

/// The loss of section 3.2 and Algorithm 1: the KL of every matched pair of layers, plus the KL at the last layer; each
/// of the two may be another loss by the configuration, and the pairs' sum has a weight. Gradient to the student alone
/// (and its verbalizers, where they learn). Logs, for KL and, with l2 in the place of kl, for squared differences:
/// `matches` [[student layer, teacher layer], ...] and `kl` of each, or `match_weights` [t_s, t_l] where all pairs take
/// part; `kl_matrix` [t_s, t_l]; `last_kl`. For cross entropy: `layer_loss` [t_s] and `last_loss`; for a divergence
/// `last_` and its name. Where gradients are measured, the norms of those of the two parts of the mean loss:
/// `intermediate_gradient_norm` (weight included) and `last_gradient_norm`. Error naming layer and sample where student
/// or teacher give what is not a number.
StepOutput interact(const Interaction& interaction, const Batch& batch);

}  // namespace vlsi
