// Qwen2-VL's chat template, image pre-processing and M-RoPE positions.
#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "data/processor.h"
#include "picture/picture.h"

namespace vlsi {

/// preprocessor_config.json (or the image_processor part of a 5.x processor_config.json).
struct Qwen2VlImageConfig {
  int64_t min_pixels = 3136, max_pixels = 12'845'056;
  int64_t patch_size = 14, temporal_patch_size = 2, merge_size = 2;
  std::array<double, 3> mean{0.48145466, 0.4578275, 0.40821073}, std{0.26862954, 0.26130258, 0.27577711};

  static Qwen2VlImageConfig load(const std::filesystem::path& directory);
};

/// The size a picture is resized to: both sides multiples of patch_size * merge_size, the area within the limits, the
/// aspect ratio nearly kept. {height, width}. Error naming `place` when one side is over 200 times the other.
std::pair<int64_t, int64_t> smart_resize(int64_t height, int64_t width, const Qwen2VlImageConfig& config,
                                         const std::string& place);

/// Resize, scale to 0..1, normalise, cut into patches ordered (frame, block row, block column, row and column in
/// block).
ImagePatches cut_patches(const Image& image, const Qwen2VlImageConfig& config, const std::string& place);

class Qwen2VlProcessor : public Processor {
 public:
  Qwen2VlProcessor(const std::filesystem::path& directory, SpecialText special_text);

  Sample encode(const Conversation& conversation) const override;
  Sample encode_prompt(const Conversation& conversation) const override;
  const Tokenizer& tokenizer() const override { return tokenizer_; }
  int32_t end_of_turn() const override { return end_of_turn_; }
  PictureLayout picture_layout() const override;
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
