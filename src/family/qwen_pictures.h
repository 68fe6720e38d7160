// The image pre-processing of Qwen2-VL, Qwen2.5-VL and Qwen3-VL: its settings, the size a picture gets, and its
// patches.
#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <string>
#include <utility>

#include "data/sample.h"
#include "family/chat_processor.h"
#include "family/picture_settings.h"
#include "family/qwen_vision.h"
#include "picture/picture.h"

namespace vlsi {

/// preprocessor_config.json (or the image_processor part of a 5.x processor_config.json).
struct QwenImageConfig {
  int64_t min_pixels = 3136, max_pixels = 12'845'056;
  int64_t patch_size = 14, temporal_patch_size = 2, merge_size = 2;
  Normalisation normalisation{{0.48145466, 0.4578275, 0.40821073}, {0.26862954, 0.26130258, 0.27577711}};

  static QwenImageConfig load(const std::filesystem::path& directory);
};

/// The size a picture is resized to: both sides multiples of patch_size * merge_size, the area within the limits, the
/// aspect ratio nearly kept. {height, width}. Error naming `place` when one side is over 200 times the other.
std::pair<int64_t, int64_t> smart_resize(int64_t height, int64_t width, const QwenImageConfig& config,
                                         const std::string& place);

/// Resize, scale to 0..1, normalise, cut into patches ordered (frame, block row, block column, row and column in
/// block). `limits` are the picture's own, as qwen_vl_utils reads them: a wanted size is rounded to whole tokens and
/// kept within the configured area; else its bounds of the area take the place of the configured ones.
PicturePatches cut_patches(const Image& image, const QwenImageConfig& config, const std::string& place,
                           const PictureLimits& limits = {});

/// Pictures as a tower of this family's kind reads them.
class QwenPictureReader : public PictureReader {
 public:
  /// Error when the settings in `directory` are not those of the tower.
  QwenPictureReader(const std::filesystem::path& directory, const QwenVision& tower);

  PicturePatches read(const Image& image, const PictureLimits& limits, size_t num_pictures,
                      const std::string& place) const override;
  PictureShape shape(const ImageSize& size, const PictureLimits& limits, size_t num_pictures,
                     const std::string& place) const override;
  std::array<int64_t, 3> token_grid(const PictureShape& picture) const override;
  std::string settings_text() const override;

 private:
  QwenImageConfig config_;
};

}  // namespace vlsi
