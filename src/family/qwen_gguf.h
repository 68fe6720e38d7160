// What llama.cpp's files of Qwen2-VL, Qwen2.5-VL and Qwen3-VL share.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "family/gguf_parts.h"
#include "family/qwen_vision.h"

namespace vlsi {

/// The keys of a tower, with mean and deviation of the picture settings in `directory`. `projector`: llama.cpp's name
/// of the family's merger. `image_size`: of the warm-up, or of the table of positions, in pixels. Error naming `place`
/// for a tower of other than three channels, two frames a patch, and merging by two.
std::vector<GgufEntry> gguf_qwen_picture_entries(const QwenVision& vision, const std::string& projector,
                                                 int64_t image_size, const std::filesystem::path& directory,
                                                 const std::string& place);

/// Those of patch embedding, and what all blocks have.
std::vector<GgufRule> gguf_qwen_tower_rules();

}  // namespace vlsi
