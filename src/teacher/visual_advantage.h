// How much a teacher's pictures help it to say each word of an answer.
// (N answer positions, D teacher width, V vocabulary rows)
#pragma once

#include <memory>
#include <string>

#include "teacher/teacher.h"

namespace vlsi {

/// How the teacher is kept from seeing, as a cache names it.
inline constexpr const char* kBlankPatches = "patches at zero";

/// The batch with all its patches at zero, the mean colour of the pre-processing. Tokens and positions stay, so that
/// its answer positions are the batch's.
Batch blanked(Batch batch);

/// log p(label | pictures) - log p(label | blank pictures) by softmax over the head's rows, nats: [N] f32. rows and
/// blank_rows [N, D], head [V, D], labels [N].
at::Tensor visual_advantage(const at::Tensor& rows, const at::Tensor& blank_rows, const at::Tensor& head,
                            const at::Tensor& labels);

/// A live teacher of `model` and `student` that also gives the visual advantage of its own last layer. Each micro-batch
/// with pictures goes through the model once more, without them; a streamed model's weights are read once more an
/// iteration.
Teacher with_visual_advantage(const Teacher& teacher, std::shared_ptr<const Vlm> model,
                              std::shared_ptr<const Vlm> student);

}  // namespace vlsi
