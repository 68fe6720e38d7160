// Low-rank adapters from and to PEFT's directories: adapter_config.json and adapter_model.safetensors.
#pragma once

#include <filesystem>
#include <string>

#include "model/vlm.h"

namespace vlsi {

/// Puts the adapters in `directory` beside the model's linear maps, frozen and in float32. Tensors may have
/// any naming of the family. Error for a model that has adapters already, for a file that AdapterConfig refuses, and,
/// listing every problem at once, for an adapter that does not fit the model.
void load_adapter(Vlm& model, const std::filesystem::path& directory);

/// Writes the model's adapters; at least one. Their tensors are named as in `naming` of the model's family, or else as
/// in gen-2, which every family has: that of the modules in current transformers. `base_model` is what the file calls
/// the model that they stand beside. The directory appears whole or not at all.
void save_adapter(const std::filesystem::path& directory, const Vlm& model, const std::string& base_model,
                  const std::string& naming = {});

}  // namespace vlsi
