#include "family/qwen3_vl/gguf.h"

#include <cmath>

#include "base/error.h"
#include "family/qwen3_vl/config.h"
#include "family/qwen_gguf.h"

namespace vlsi {
namespace {

/// The maps of the projector; those of a tapped block are called by the block's index.
void add_projector_rules(const Qwen3VlConfig& vision, std::vector<GgufRule>& rules) {
  rules.push_back({"projector.merger.norm.", {"v.post_ln."}});
  rules.push_back({"projector.merger.linear_fc1.", {"mm.0."}});
  rules.push_back({"projector.merger.linear_fc2.", {"mm.2."}});
  const auto& taps = vision.deepstack_visual_indexes;
  for (size_t i = 0; i < taps.size(); ++i) {
    const auto own = concat("projector.deepstack_merger_list.", i, "."), name = concat("v.deepstack.", taps[i], ".");
    rules.push_back({own + "norm.", {name + "norm."}});
    rules.push_back({own + "linear_fc1.", {name + "fc1."}});
    rules.push_back({own + "linear_fc2.", {name + "fc2."}});
  }
}

}  // namespace

GgufParts qwen3_vl_gguf_parts(const ModelConfig& config, const std::filesystem::path& directory,
                              const std::string& place) {
  const std::string architecture = "qwen3vl";
  const auto& vision = own_config<Qwen3VlConfig>(config);
  const auto side = static_cast<int64_t>(std::lround(std::sqrt(static_cast<double>(vision.num_position_embeddings))));
  GgufParts parts{architecture, gguf_decoder_entries(config.text, architecture, /*has_head_size=*/true, place),
                  gguf_decoder_rules(),
                  gguf_qwen_picture_entries(vision, "qwen3vl_merger", side * vision.patch_size, directory, place)};
  const auto& taps = vision.deepstack_visual_indexes;
  parts.text.push_back({architecture + ".n_deepstack_layers", static_cast<uint32_t>(taps.size())});
  parts.picture.push_back({"clip.use_gelu", true});
  std::vector<bool> is_tapped(static_cast<size_t>(vision.depth));
  for (const int64_t block : taps) is_tapped[static_cast<size_t>(block)] = true;
  parts.picture.push_back({"clip.vision.is_deepstack_layers", std::move(is_tapped)});
  const auto tower = gguf_qwen_tower_rules();
  parts.rules.insert(parts.rules.end(), tower.begin(), tower.end());
  parts.rules.push_back(
      {"vision.pos_embed.weight", {"v.position_embd.weight"}, GgufRule::Cut::kNone, GgufRule::Kept::kFloat});
  parts.rules.push_back({"vision.blocks.*.attn.qkv.", {"v.blk.*.attn_qkv."}});
  parts.rules.push_back({"vision.blocks.*.mlp.linear_fc1.", {"v.blk.*.ffn_up."}});
  parts.rules.push_back({"vision.blocks.*.mlp.linear_fc2.", {"v.blk.*.ffn_down."}});
  add_projector_rules(vision, parts.rules);
  return parts;
}

}  // namespace vlsi
