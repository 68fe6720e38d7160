// The parts of a model that a step may train, by parameter name.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/safetensors.h"
#include "model/vlm.h"

namespace vlsi {

/// The part a parameter belongs to: "vision" (the tower without its merger), "projector" (the merger), "embeddings",
/// "head" (an untied one), "lora" (the adapters), or "decoder" (every other parameter of the layers, and the final
/// norm).
std::string part_of(std::string_view parameter_name);

/// The names that part_of gives.
const std::vector<std::string>& part_names();
/// The same in a line.
std::string part_list();

/// Error naming `place` for an unknown part, or one that the model lacks.
void check_parts(const Vlm& model, const std::vector<std::string>& parts, const std::string& place);

/// Error naming `place` where no loss reaches a tensor of `parts`, which check_parts has let through: they name the
/// head alone, and that is a tied one, whose tensor is the embeddings', or losses take it as it is (`head_learns` is
/// false).
void check_reached(const Vlm& model, const std::vector<std::string>& parts, bool head_learns, const std::string& place);

/// Freezes the model except `parts` and returns the parameters that learn, in the model's order. A trained tensor that
/// is a view of a mapped file is copied first. Errors are those of check_parts.
NamedTensors make_trainable(Vlm& model, const std::vector<std::string>& parts, const std::string& place);

}  // namespace vlsi
