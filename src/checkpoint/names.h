// The two generations of tensor names in Qwen2-VL checkpoints and adapters.
#pragma once

#include <string>

namespace vlsi {

/// The older name, which is also that of this program's parameters: `visual.`, `model.layers.`, `lm_head.`.
std::string gen1_name(const std::string& name);

/// The newer name, that of the modules in transformers from 4.52 on: `model.visual.`, `model.language_model.layers.`,
/// `lm_head.`.
std::string gen2_name(const std::string& name);

}  // namespace vlsi
