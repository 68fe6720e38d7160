// Models as llama.cpp's files, a tensor at a time.
#pragma once

#include <filesystem>

#include "gguf/tensor_type.h"
#include "model/vlm.h"

namespace vlsi {

/// What the maps of the two files are written as. Norms, biases and tables of positions stay float32.
struct GgufTypes {
  const TensorType* text;
  const TensorType* picture;
};

/// Writes the folder `directory` with `model.gguf`, the text model with the tokenizer and chat template of
/// `carried_from`, and `mmproj.gguf`, tower and projector; without the latter, and with a warning, where llama.cpp has
/// no tower like the family's. Adapters are merged in float32. A map whose rows are no whole number of a type's blocks
/// is float16; in q4_0 the language head is q8_0. The folder appears whole or not at all. Error for a family or a
/// setting that llama.cpp does not read, and those of write_gguf.
void save_gguf(const std::filesystem::path& directory, const Vlm& model, const GgufTypes& types,
               const std::filesystem::path& carried_from);

}  // namespace vlsi
