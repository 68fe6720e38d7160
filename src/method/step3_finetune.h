// Step 3, supervised fine-tuning: the student learns the answers themselves.
#pragma once

#include "model/vlm.h"
#include "train/trainer.h"

namespace vlsi {

/// The loss of section 3.3: cross entropy of the answer tokens at the student's own output. Also pre-training of a
/// small model, and the fine-tuning baseline. Logs `answer_loss` and `answer_loss_words`. `pictures` is for
/// Vlm::forward.
StepOutput finetune(const Vlm& student, const Batch& batch, int32_t end_of_turn, PictureFeatures* pictures = nullptr);

}  // namespace vlsi
