// The model families.
#pragma once

#include <filesystem>
#include <memory>

#include "data/processor.h"

namespace vlsi {

/// The processor of a Hugging Face directory, by the `model_type` in its config.json. `special_text` says what
/// special-token text inside a data file's turn becomes; a literal image placeholder without a picture is an Error.
std::unique_ptr<Processor> load_processor(const std::filesystem::path& directory,
                                          SpecialText special_text = SpecialText::kControl);

}  // namespace vlsi
