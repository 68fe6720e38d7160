// Qwen2-VL's names in llama.cpp.
#pragma once

#include <filesystem>
#include <string>

#include "family/gguf_parts.h"

namespace vlsi {

/// Error naming `place` for what llama.cpp cannot read; picture settings are those of `directory`.
GgufParts qwen2_vl_gguf_parts(const ModelConfig& config, const std::filesystem::path& directory,
                              const std::string& place);

}  // namespace vlsi
