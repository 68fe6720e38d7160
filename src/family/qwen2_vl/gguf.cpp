#include "family/qwen2_vl/gguf.h"

#include "family/qwen2_vl/config.h"
#include "family/qwen_gguf.h"

namespace vlsi {

GgufParts qwen2_vl_gguf_parts(const ModelConfig& config, const std::filesystem::path& directory,
                              const std::string& place) {
  constexpr int64_t kWarmUpPixels = 560;
  const std::string architecture = "qwen2vl";
  GgufParts parts{
      architecture, gguf_decoder_entries(config.text, architecture, /*has_head_size=*/false, place),
      gguf_decoder_rules(),
      gguf_qwen_picture_entries(own_config<Qwen2VlConfig>(config), "qwen2vl_merger", kWarmUpPixels, directory, place)};
  const auto tower = gguf_qwen_tower_rules();
  parts.rules.insert(parts.rules.end(), tower.begin(), tower.end());
  parts.rules.push_back(
      {"vision.blocks.*.attn.qkv.", {"v.blk.*.attn_q.", "v.blk.*.attn_k.", "v.blk.*.attn_v."}, GgufRule::Cut::kRows});
  parts.rules.push_back({"vision.blocks.*.mlp.fc1.", {"v.blk.*.ffn_up."}});
  parts.rules.push_back({"vision.blocks.*.mlp.fc2.", {"v.blk.*.ffn_down."}});
  parts.rules.push_back({"projector.ln_q.", {"v.post_ln."}});
  parts.rules.push_back({"projector.mlp.*.", {"mm.*."}});
  return parts;
}

}  // namespace vlsi
