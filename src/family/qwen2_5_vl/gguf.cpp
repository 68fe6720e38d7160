#include "family/qwen2_5_vl/gguf.h"

#include <algorithm>

#include "base/contains.h"
#include "base/error.h"
#include "family/qwen2_5_vl/config.h"
#include "family/qwen_gguf.h"

namespace vlsi {
namespace {

constexpr int64_t kWindowPixels = 112;  // the only window that llama.cpp has for this family

/// Of every so many blocks, the last one sees whole frames. Error where that is not so.
uint32_t whole_frame_interval(const Qwen25VlConfig& vision, const std::string& place) {
  const auto& whole = vision.fullatt_block_indexes;
  const int64_t interval = whole.empty() ? vision.depth + 1 : *std::min_element(whole.begin(), whole.end()) + 1;
  for (int64_t block = 0; block < vision.depth; ++block) {
    const bool is_whole = contains(whole, block);
    if (is_whole != ((block + 1) % interval == 0)) {
      fail(place, ": fullatt_block_indexes ", is_whole ? "has" : "lacks", " block ", block,
           ", expected every block at an equal distance, which is all that llama.cpp has");
    }
  }
  return static_cast<uint32_t>(interval);
}

}  // namespace

GgufParts qwen2_5_vl_gguf_parts(const ModelConfig& config, const std::filesystem::path& directory,
                                const std::string& place) {
  constexpr int64_t kWarmUpPixels = 560;
  const std::string architecture = "qwen2vl";
  const auto& vision = own_config<Qwen25VlConfig>(config);
  if (vision.window_cells() != kWindowPixels / vision.patch_size / vision.spatial_merge_size) {
    fail(place, ": window_size is ", vision.window_size, ", expected ", kWindowPixels, ", which llama.cpp has fixed");
  }
  GgufParts parts{architecture, gguf_decoder_entries(config.text, architecture, /*has_head_size=*/false, place),
                  gguf_decoder_rules(),
                  gguf_qwen_picture_entries(vision, "qwen2.5vl_merger", kWarmUpPixels, directory, place)};
  parts.picture.push_back({"clip.use_silu", true});
  parts.picture.push_back({"clip.vision.n_wa_pattern", whole_frame_interval(vision, place)});
  const auto tower = gguf_qwen_tower_rules();
  parts.rules.insert(parts.rules.end(), tower.begin(), tower.end());
  parts.rules.push_back(
      {"vision.blocks.*.attn.qkv.", {"v.blk.*.attn_q.", "v.blk.*.attn_k.", "v.blk.*.attn_v."}, GgufRule::Cut::kRows});
  parts.rules.push_back({"vision.blocks.*.mlp.gate_proj.", {"v.blk.*.ffn_gate."}});
  parts.rules.push_back({"vision.blocks.*.mlp.up_proj.", {"v.blk.*.ffn_up."}});
  parts.rules.push_back({"vision.blocks.*.mlp.down_proj.", {"v.blk.*.ffn_down."}});
  parts.rules.push_back({"projector.ln_q.", {"v.post_ln."}});
  parts.rules.push_back({"projector.mlp.*.", {"mm.*."}});
  return parts;
}

}  // namespace vlsi
