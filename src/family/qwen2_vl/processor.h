// Qwen2-VL's chat template, pictures and M-RoPE positions.
#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "data/processor.h"
#include "family/qwen2_vl/config.h"
#include "family/qwen2_vl/pictures.h"

namespace vlsi {

class Qwen2VlProcessor : public Processor {
 public:
  /// Error when the tokenizer or the picture settings in `directory` are not those of `model`.
  Qwen2VlProcessor(const std::filesystem::path& directory, const ModelConfig& model, SpecialText special_text);

  Sample encode(const Conversation& conversation) const override;
  Sample encode_prompt(const Conversation& conversation) const override;
  const Tokenizer& tokenizer() const override { return tokenizer_; }
  int32_t end_of_turn() const override { return end_of_turn_; }
  ProcessorFingerprint fingerprint() const override;
  const Qwen2VlImageConfig& image_config() const { return image_config_; }

 private:
  Sample render(const Conversation& conversation, size_t num_turns, bool generation_prompt) const;

  Tokenizer tokenizer_;
  SpecialText special_text_;
  Qwen2VlImageConfig image_config_;
  std::string tokenizer_checksum_;  // of its file, as it was when it was read
  int32_t start_of_turn_, end_of_turn_, vision_start_, vision_end_, image_token_;
};

}  // namespace vlsi
