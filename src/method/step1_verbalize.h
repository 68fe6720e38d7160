// Step 1, verbalization: every target layer of a frozen backbone learns to say the answer through the backbone's own
// head.
#pragma once

#include "teacher/frozen_rows.h"
#include "teacher/verbalizers.h"
#include "train/trainer.h"

namespace vlsi {

/// The loss of section 3.1: cross entropy of the answer tokens at every verbalizer, summed over the layers. Gradients
/// of different verbalizers do not interact, so one pass over the backbone trains them all. Logs `layer_loss` [t] and
/// `layer_loss_words` [t]. `backbone` reads what verbalizers.request(/*final_rows=*/false) says.
StepOutput verbalize(FrozenRows& backbone, const Verbalizers& verbalizers, const Batch& batch, int32_t end_of_turn);

}  // namespace vlsi
