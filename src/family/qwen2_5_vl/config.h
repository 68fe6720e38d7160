// Qwen2.5-VL's configuration of tower, merger and tokens.
#pragma once

#include <vector>

#include "base/json.h"
#include "family/qwen_vision.h"
#include "model/config.h"

namespace vlsi {

/// The defaults are the class defaults that pruned files leave out.
struct Qwen25VlConfig : QwenVision {
  int64_t hidden_size = 3584;
  int64_t intermediate_size = 3420;
  int64_t out_hidden_size = 3584;
  int64_t window_size = 112;                                  // pixels
  std::vector<int64_t> fullatt_block_indexes{7, 15, 23, 31};  // whose patches see their whole frame
  double tokens_per_second = 4;                               // of videos; kept for the file
  int64_t vision_token_id = 151654;                           // kept for the file, too

  int64_t width() const override { return hidden_size; }
  int64_t mlp_size() const override { return intermediate_size; }
  int64_t out_size() const override { return out_hidden_size; }
  /// A window's side in merged patches.
  int64_t window_cells() const { return window_size / spatial_merge_size / patch_size; }
};

/// A config.json object: flat, flat with `text_config`, nested, or pruned. Errors are read_decoder_config's, and the
/// tower's.
ModelConfig read_qwen2_5_vl_config(const Json& json, const std::string& place);

/// The flat layout of the hub's files.
OrderedJson write_qwen2_5_vl_config(const ModelConfig& config, const std::string& dtype);

}  // namespace vlsi
