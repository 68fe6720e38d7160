// A model's architecture, as its config.json says it: every layout in, the flat hub layout out.
#pragma once

#include <array>
#include <cstdint>
#include <filesystem>

#include "base/json.h"

namespace vlsi {

/// Qwen2-VL's vision tower; the defaults are the class defaults that pruned files leave out.
struct VisionConfig {
  int64_t depth = 32;
  int64_t embed_dim = 1280;
  int64_t hidden_size = 3584;  // the merger's output, equal to the decoder's width
  int64_t num_heads = 16;
  double mlp_ratio = 4;
  int64_t in_channels = 3;
  int64_t patch_size = 14;
  int64_t spatial_merge_size = 2;
  int64_t temporal_patch_size = 2;

  int64_t mlp_size() const { return static_cast<int64_t>(static_cast<double>(embed_dim) * mlp_ratio); }
  int64_t patch_values() const { return in_channels * temporal_patch_size * patch_size * patch_size; }
  int64_t merged_size() const { return embed_dim * spatial_merge_size * spatial_merge_size; }
};

/// The decoder; the defaults are the class defaults that pruned files leave out.
struct TextConfig {
  int64_t vocab_size = 152064;
  int64_t hidden_size = 8192;
  int64_t intermediate_size = 29568;
  int64_t num_hidden_layers = 80;
  int64_t num_attention_heads = 64;
  int64_t num_key_value_heads = 8;
  int64_t max_position_embeddings = 32768;
  double rms_norm_eps = 1e-5;
  double rope_theta = 1e6;
  std::array<int64_t, 3> mrope_section{16, 24, 24};  // frequencies that follow the time, height and width axis
  bool tie_word_embeddings = false;

  int64_t head_dim() const { return hidden_size / num_attention_heads; }
};

struct ModelConfig {
  TextConfig text;
  VisionConfig vision;
  int64_t bos_token_id = 151643, eos_token_id = 151645;
  int64_t vision_start_token_id = 151652, vision_end_token_id = 151653, vision_token_id = 151654;
  int64_t image_token_id = 151655, video_token_id = 151656;
  double initializer_range = 0.02;
};

/// Reads a config.json object: flat, flat with `text_config`, nested, or pruned to what differs from the class
/// defaults. Error naming `place` and key for another `model_type`, wrong types, sizes that are not positive or do not
/// divide, sizes beyond any real model (2^24 rows, 2^12 layers), and what asks for another computation: quantized
/// weights, other activations, attention windows, scaled rotation.
ModelConfig parse_model_config(const Json& json, const std::string& place);

/// parse_model_config of `directory`/config.json.
ModelConfig load_model_config(const std::filesystem::path& directory);

/// Values in all tensors of such a model. Exact below 2^53, and never overflows.
double num_parameters(const ModelConfig& config);

/// The flat layout that every reader of the ecosystem takes, with a complete vision_config. `dtype`: "float32",
/// "bfloat16".
OrderedJson to_json(const ModelConfig& config, const std::string& dtype);

}  // namespace vlsi
