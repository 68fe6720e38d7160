// LLaVA-OneVision's configuration of tower, projector and picture grids.
#pragma once

#include <utility>
#include <vector>

#include "base/json.h"
#include "model/config.h"

namespace vlsi {

/// Without a vision_config, the tower is this one of SigLIP's.
struct LlavaOnevisionConfig : FamilyConfig {
  int64_t hidden_size = 1152;
  int64_t intermediate_size = 4304;
  int64_t num_layers = 26;
  int64_t num_heads = 16;
  int64_t num_channels = 3;
  int64_t image_size = 384;  // pixels of a view's side
  int64_t patch_size = 14;
  double layer_norm_eps = 1e-6;
  int64_t text_hidden_size = 0;                          // the decoder's width
  std::vector<std::pair<int64_t, int64_t>> grid_pixels;  // height, width of the grids of views, in their order
  int64_t max_views = 9;                                 // whose patches a picture's grid keeps; more are reduced
  int64_t video_token_id = 151647;

  int64_t side() const { return image_size / patch_size; }  // patches of a view's side
  int64_t view_patches() const { return side() * side(); }
  int64_t patch_values() const { return num_channels * patch_size * patch_size; }

  std::string tower_text() const override;
};

/// A config.json object: llava-hf's, nested, or pruned to what differs from the class defaults; or lmms-lab's flat one,
/// whose tower is named and not described. Error naming `place` and key for what read_decoder_config refuses, the same
/// of the tower, and what asks for other features than the last layer's, all of them, in grids of views.
ModelConfig read_llava_onevision_config(const Json& json, const std::string& place);

/// llava-hf's nested layout with complete text_config and vision_config. `dtype`: "float32", "bfloat16".
OrderedJson write_llava_onevision_config(const ModelConfig& config, const std::string& dtype);

}  // namespace vlsi
