// Drafts by a speaker's own verbalizers.
#pragma once

#include <cstdint>

#include "generate/draft.h"
#include "run/speaker.h"

namespace vlsi {

/// The verbalizer of `layer` reads the layer's rows, and the language head that it was trained with reads what it makes
/// of them, in the model's dtype and, where that head is the model's own, in as few bits. Error where the speaker has
/// none for the layer, or its network attends: then it would have to read all earlier tokens.
Draft draft_by_verbalizer(const Speaker& speaker, int64_t layer, int64_t num_tokens);

}  // namespace vlsi
