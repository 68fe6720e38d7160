// Qwen2-VL's image pre-processing: its settings, the size a picture gets, and its patches.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <utility>

#include "data/sample.h"
#include "family/picture_settings.h"
#include "picture/picture.h"

namespace vlsi {

/// t frames of h x w patches, before merging: what the layout of a picture's shape holds.
struct PatchGrid {
  int64_t t = 1, h = 0, w = 0;
};
PatchGrid grid_of(const PictureShape& picture);
/// The shape of a picture with this grid, whose patches are merged by merge x merge.
PictureShape shape_of(const PatchGrid& grid, int64_t merge);

/// preprocessor_config.json (or the image_processor part of a 5.x processor_config.json).
struct Qwen2VlImageConfig {
  int64_t min_pixels = 3136, max_pixels = 12'845'056;
  int64_t patch_size = 14, temporal_patch_size = 2, merge_size = 2;
  Normalisation normalisation{{0.48145466, 0.4578275, 0.40821073}, {0.26862954, 0.26130258, 0.27577711}};

  static Qwen2VlImageConfig load(const std::filesystem::path& directory);
};

/// The size a picture is resized to: both sides multiples of patch_size * merge_size, the area within the limits, the
/// aspect ratio nearly kept. {height, width}. Error naming `place` when one side is over 200 times the other.
std::pair<int64_t, int64_t> smart_resize(int64_t height, int64_t width, const Qwen2VlImageConfig& config,
                                         const std::string& place);

/// Resize, scale to 0..1, normalise, cut into patches ordered (frame, block row, block column, row and column in
/// block).
PicturePatches cut_patches(const Image& image, const Qwen2VlImageConfig& config, const std::string& place);

}  // namespace vlsi
