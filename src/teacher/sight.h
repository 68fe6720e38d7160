// A check at the start of a run that the teacher sees: its answers change when its pictures are blanked.
#pragma once

#include <string>

#include "data/batch.h"
#include "model/vlm.h"

namespace vlsi {

/// Error naming `place` when the model's final rows at the answer positions of `batch`, hence its loss on the answers,
/// are the same to the last bit with its pictures `blanked` (visual_advantage.h). False, without a look,
/// for a batch that cannot tell: no picture with other patches stands before an answer. `batch` is on the CPU. Both
/// passes are one call of the model, and without a memory of pictures. Nothing is changed or drawn.
bool check_sight(const Vlm& model, const Batch& batch, const std::string& place);

}  // namespace vlsi
