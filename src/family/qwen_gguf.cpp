#include "family/qwen_gguf.h"

#include "base/error.h"
#include "family/qwen_pictures.h"

namespace vlsi {
namespace {

constexpr float kNormEps = 1e-6F;  // of the towers

void expect_fixed(int64_t found, int64_t expected, const char* key, const std::string& place) {
  if (found != expected) fail(place, ": ", key, " is ", found, ", expected ", expected, ", which llama.cpp has fixed");
}

}  // namespace

std::vector<GgufEntry> gguf_qwen_picture_entries(const QwenVision& vision, const std::string& projector,
                                                 int64_t image_size, const std::filesystem::path& directory,
                                                 const std::string& place) {
  expect_fixed(vision.in_channels, 3, "in_channels", place);
  expect_fixed(vision.temporal_patch_size, 2, "temporal_patch_size", place);
  expect_fixed(vision.spatial_merge_size, 2, "spatial_merge_size", place);
  const auto number = [](int64_t value) { return static_cast<uint32_t>(value); };
  const auto normalisation = QwenImageConfig::load(directory).normalisation;
  const auto floats = [](const std::array<double, 3>& values) {
    return std::vector<float>(values.begin(), values.end());
  };
  return {{"clip.projector_type", projector},
          {"clip.has_vision_encoder", true},
          {"clip.vision.projection_dim", number(vision.out_size())},
          {"clip.vision.image_size", number(image_size)},
          {"clip.vision.patch_size", number(vision.patch_size)},
          {"clip.vision.embedding_length", number(vision.width())},
          {"clip.vision.feed_forward_length", number(vision.mlp_size())},
          {"clip.vision.block_count", number(vision.depth)},
          {"clip.vision.attention.head_count", number(vision.num_heads)},
          {"clip.vision.attention.layer_norm_epsilon", kNormEps},
          {"clip.vision.spatial_merge_size", number(vision.spatial_merge_size)},
          {"clip.vision.image_mean", floats(normalisation.mean)},
          {"clip.vision.image_std", floats(normalisation.std)}};
}

std::vector<GgufRule> gguf_qwen_tower_rules() {
  return {{"vision.patch_embed.proj.weight",
           {"v.patch_embd.weight", "v.patch_embd.weight.1"},
           GgufRule::Cut::kFrames,
           GgufRule::Kept::kFloatOrHalf},
          {"vision.patch_embed.proj.bias", {"v.patch_embd.bias"}},
          {"vision.blocks.*.norm1.", {"v.blk.*.ln1."}},
          {"vision.blocks.*.norm2.", {"v.blk.*.ln2."}},
          {"vision.blocks.*.attn.proj.", {"v.blk.*.attn_out."}}};
}

}  // namespace vlsi
