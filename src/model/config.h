// A model's architecture, as its family reads it from config.json.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace vlsi {

/// The decoder. The defaults are the class defaults of Qwen2's that pruned files leave out.
struct TextConfig {
  int64_t vocab_size = 152064;
  int64_t hidden_size = 8192;
  int64_t intermediate_size = 29568;
  int64_t num_hidden_layers = 80;
  int64_t num_attention_heads = 64;
  int64_t num_key_value_heads = 8;
  int64_t head_size = 0;  // 0: hidden_size / num_attention_heads
  int64_t max_position_embeddings = 32768;
  double rms_norm_eps = 1e-5;
  double rope_theta = 1e6;
  /// Rotary frequencies that follow each axis of the positions: for M-RoPE the time, height and width axis. Plain
  /// rotary positions are one section.
  std::vector<int64_t> rope_sections{16, 24, 24};
  bool rope_is_interleaved = false;  // the axes take turns among the frequencies, in place of one section after another
  bool has_qkv_bias = true;
  bool has_qk_norm = false;  // an RMS norm over each head's queries and keys
  /// Layers, counted from 0, behind which the projector's further rows are added at picture positions, in this order.
  std::vector<int64_t> rows_added_after;
  bool tie_word_embeddings = false;

  int64_t head_dim() const { return head_size > 0 ? head_size : hidden_size / num_attention_heads; }
  int64_t num_axes() const { return static_cast<int64_t>(rope_sections.size()); }
};

/// What a family's configuration says of its tower, projector and tokens, for its own code to read.
struct FamilyConfig {
  virtual ~FamilyConfig() = default;
  /// The tower in a few words: "32 blocks x 1280, heads 16, patch 14, merge 2".
  virtual std::string tower_text() const = 0;
};

struct ModelConfig {
  std::string family;  // its name in the table of families: config.json's model_type
  TextConfig text;
  std::shared_ptr<const FamilyConfig> own;  // the family's
  int64_t bos_token_id = 151643;
  std::vector<int64_t> eos_token_ids{151645};  // end an answer; at least one
  int64_t image_token_id = 151655;             // stands where a picture's rows go
  double initializer_range = 0.02;
};

}  // namespace vlsi
