// Qwen3-VL's configuration of tower, mergers and tokens.
#pragma once

#include <vector>

#include "base/json.h"
#include "family/qwen_vision.h"
#include "model/config.h"

namespace vlsi {

/// The defaults are the class defaults that pruned files leave out.
struct Qwen3VlConfig : QwenVision {
  int64_t hidden_size = 1152;
  int64_t intermediate_size = 4304;
  int64_t out_hidden_size = 3584;
  int64_t num_position_embeddings = 2304;                    // a square table
  std::vector<int64_t> deepstack_visual_indexes{8, 16, 24};  // blocks behind which a merger reads features

  Qwen3VlConfig() { depth = 27, patch_size = 16; }
  int64_t width() const override { return hidden_size; }
  int64_t mlp_size() const override { return intermediate_size; }
  int64_t out_size() const override { return out_hidden_size; }
};

/// A config.json object, nested or pruned. Errors are read_decoder_config's and the tower's; and a tap behind a block
/// that is not there, or more taps than decoder layers.
ModelConfig read_qwen3_vl_config(const Json& json, const std::string& place);

/// The nested layout of the hub's files.
OrderedJson write_qwen3_vl_config(const ModelConfig& config, const std::string& dtype);

}  // namespace vlsi
