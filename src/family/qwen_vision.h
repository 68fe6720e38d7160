// What the vision towers of Qwen2-VL, Qwen2.5-VL and Qwen3-VL share. (P patches, E tower width, H heads)
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "family/config_keys.h"
#include "model/attention.h"
#include "model/config.h"
#include "model/linear.h"
#include "model/rope.h"
#include "model/vision.h"

namespace vlsi {

/// Patches, blocks and token ids that each of these families has; a family's configuration adds its own.
struct QwenVision : FamilyConfig {
  int64_t depth = 32;
  int64_t num_heads = 16;
  int64_t in_channels = 3;
  int64_t patch_size = 14;
  int64_t spatial_merge_size = 2;
  int64_t temporal_patch_size = 2;
  int64_t vision_start_token_id = 151652, vision_end_token_id = 151653, video_token_id = 151656;

  virtual int64_t width() const = 0;     // E
  virtual int64_t mlp_size() const = 0;  // of a block's FFN
  virtual int64_t out_size() const = 0;  // of the merger, equal to the decoder's width
  int64_t head_dim() const { return width() / num_heads; }
  int64_t patch_values() const { return in_channels * temporal_patch_size * patch_size * patch_size; }
  int64_t merged_size() const { return width() * spatial_merge_size * spatial_merge_size; }

  std::string tower_text() const override;
};

/// The keys of vision_config that all of these families have; `keys` are its. Error for another rotation than of base
/// 10000.
void read_qwen_vision(const ConfigKeys& keys, QwenVision& vision);
/// The ids at the top of config.json. Error for ids without a row in the embedding.
void read_qwen_tokens(const ConfigKeys& keys, const ModelConfig& config, QwenVision& vision, const std::string& place);
/// The same keys, written.
OrderedJson qwen_vision_json(const QwenVision& vision);
OrderedJson qwen_tokens_json(const ModelConfig& config, const QwenVision& vision);
/// Error unless heads share the width, their halves can be rotated, a merged patch's values can be counted, and the
/// merger gives the decoder's width under the name `out_key`.
void check_qwen_vision(const QwenVision& vision, const TextConfig& text, const char* width_key, const char* out_key,
                       const std::string& place);

/// t frames of h x w patches, before merging: what the layout of a picture's shape holds.
struct PatchGrid {
  int64_t t = 1, h = 0, w = 0;
};
PatchGrid grid_of(const PictureShape& picture);
/// The shape of a picture with this grid, whose patches are merged by merge x merge.
PictureShape shape_of(const PatchGrid& grid, int64_t merge);

/// Where each frame of the pictures begins, and the end. Error unless they are `num_patches` in all.
std::vector<int64_t> frame_starts(std::span<const PictureShape> pictures, int64_t num_patches);

/// Each patch's row and column inside its picture, in the order of the patches (merge blocks); head_dim/4 frequencies
/// of base 10000 each. [P, head_dim/2]
RotaryTable vision_rotary_table(std::span<const PictureShape> pictures, int64_t merge, int64_t head_dim,
                                const at::TensorOptions& options);

/// patches [P, channels * temporal_patch * patch²] -> [P, E], in the dtype of the weight `proj.weight`.
class QwenPatchEmbedding : public Module {
 public:
  QwenPatchEmbedding(const QwenVision& config, bool with_bias);
  at::Tensor forward(const at::Tensor& patches) const;

 private:
  at::Tensor weight_, bias_;  // [E, channels, temporal_patch, patch, patch], [E]
};

/// Attention with one map for queries, keys and values; rotated in float32 whatever the activations' dtype.
class QwenVisionAttention : public Module {
 public:
  explicit QwenVisionAttention(const QwenVision& config);
  /// x [P, E]; patches attend within their run.
  at::Tensor forward(const at::Tensor& x, const RotaryTable& rotary, const std::vector<SequenceRun>& runs) const;

 private:
  int64_t num_heads_;
  std::shared_ptr<Linear> qkv_, proj_;
};

/// Of a tower whose FFN has `num_maps` maps into its inner width, and keeps `kept_inner` rows of it for a gradient.
Cost qwen_tower_cost(const QwenVision& config, double num_weights, double num_patches, double largest,
                     double kept_inner);

}  // namespace vlsi
