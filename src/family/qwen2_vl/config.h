// Qwen2-VL's configuration of tower, merger and tokens.
#pragma once

#include "base/json.h"
#include "family/qwen_vision.h"
#include "model/config.h"

namespace vlsi {

/// The defaults are the class defaults that pruned files leave out.
struct Qwen2VlConfig : QwenVision {
  int64_t embed_dim = 1280;
  int64_t hidden_size = 3584;
  double mlp_ratio = 4;
  int64_t vision_token_id = 151654;

  int64_t width() const override { return embed_dim; }
  int64_t mlp_size() const override { return static_cast<int64_t>(static_cast<double>(embed_dim) * mlp_ratio); }
  int64_t out_size() const override { return hidden_size; }
};

/// A config.json object: flat, flat with `text_config`, nested, or pruned to what differs from the class defaults.
/// Error naming `place` and key for what read_decoder_config refuses, and the same of the tower.
ModelConfig read_qwen2_vl_config(const Json& json, const std::string& place);

/// The flat layout that every reader of the ecosystem takes, with a complete vision_config. `dtype`: "float32",
/// "bfloat16".
OrderedJson write_qwen2_vl_config(const ModelConfig& config, const std::string& dtype);

}  // namespace vlsi
