// What the entries of Qwen2-VL, Qwen2.5-VL and Qwen3-VL in the table of families share.
#pragma once

#include <filesystem>
#include <memory>
#include <string_view>
#include <vector>

#include "data/processor.h"
#include "family/qwen_vision.h"
#include "family/weight_names.h"
#include "text/tokenizer.h"

namespace vlsi {

inline constexpr std::string_view kQwenPictureToken = "<|image_pad|>";

/// transformers up to 4.51 and the hub's files ("gen-1"), the modules of transformers from 4.52 on ("gen-2"), and a
/// base model saved alone; each merger is the projector.
std::vector<WeightNames> qwen_namings();

/// `default_template`: for directories without a chat template.
std::unique_ptr<Processor> make_qwen_processor(const std::filesystem::path& directory, const ModelConfig& model,
                                               SpecialText special_text, std::string_view default_template);

/// Every turn between <|im_start|> and <|im_end|>, its parts in order; with a system turn in front where there is none.
extern const std::string_view kQwenTemplateWithSystem;
/// The same without it.
extern const std::string_view kQwenTemplate;

}  // namespace vlsi
