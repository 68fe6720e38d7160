// Qwen2-VL's configuration of tower, merger and tokens.
#pragma once

#include "base/json.h"
#include "model/config.h"

namespace vlsi {

/// The defaults are the class defaults that pruned files leave out.
struct Qwen2VlConfig : FamilyConfig {
  int64_t depth = 32;
  int64_t embed_dim = 1280;
  int64_t hidden_size = 3584;  // the merger's output, equal to the decoder's width
  int64_t num_heads = 16;
  double mlp_ratio = 4;
  int64_t in_channels = 3;
  int64_t patch_size = 14;
  int64_t spatial_merge_size = 2;
  int64_t temporal_patch_size = 2;
  int64_t vision_start_token_id = 151652, vision_end_token_id = 151653, vision_token_id = 151654;
  int64_t video_token_id = 151656;

  int64_t mlp_size() const { return static_cast<int64_t>(static_cast<double>(embed_dim) * mlp_ratio); }
  int64_t patch_values() const { return in_channels * temporal_patch_size * patch_size * patch_size; }
  int64_t merged_size() const { return embed_dim * spatial_merge_size * spatial_merge_size; }

  std::string tower_text() const override;
  std::string patches_text() const override;
};

/// The family's own part of a configuration that read_qwen2_vl_config gave.
const Qwen2VlConfig& qwen2_vl_config(const ModelConfig& config);

/// A config.json object: flat, flat with `text_config`, nested, or pruned to what differs from the class defaults.
/// Error naming `place` and key for what read_decoder_config refuses, and the same of the tower.
ModelConfig read_qwen2_vl_config(const Json& json, const std::string& place);

/// The flat layout that every reader of the ecosystem takes, with a complete vision_config. `dtype`: "float32",
/// "bfloat16".
OrderedJson write_qwen2_vl_config(const ModelConfig& config, const std::string& dtype);

}  // namespace vlsi
