#include "family/qwen3_vl/family.h"

#include "family/qwen3_vl/config.h"
#include "family/qwen3_vl/gguf.h"
#include "family/qwen3_vl/tower.h"
#include "family/qwen_family.h"

namespace vlsi {

Family qwen3_vl_family() {
  Family family{"qwen3_vl", "Qwen3-VL", kQwenPictureToken, read_qwen3_vl_config, write_qwen3_vl_config, {}, {}, {}, {}};
  family.namings = {{"gen-2",
                     {{"model.visual.merger.", "projector.merger."},
                      {"model.visual.deepstack_merger_list.", "projector.deepstack_merger_list."},
                      {"model.visual.", "vision."},
                      {"model.language_model.embed_tokens.", "embeddings."},
                      {"model.language_model.layers.", "decoder.layers."},
                      {"model.language_model.norm.", "decoder.norm."},
                      {"lm_head.", "head."}}},
                    {"base",  // a base model that was saved without its head
                     {{"visual.merger.", "projector.merger."},
                      {"visual.deepstack_merger_list.", "projector.deepstack_merger_list."},
                      {"visual.", "vision."},
                      {"language_model.embed_tokens.", "embeddings."},
                      {"language_model.layers.", "decoder.layers."},
                      {"language_model.norm.", "decoder.norm."},
                      {"lm_head.", "head."}}}};
  family.make_tower = [](const ModelConfig& config) -> std::shared_ptr<VisionTower> {
    return std::make_shared<Qwen3VlTower>(own_config<Qwen3VlConfig>(config));
  };
  family.make_projector = [](const ModelConfig& config) -> std::shared_ptr<Projector> {
    return std::make_shared<Qwen3VlProjector>(own_config<Qwen3VlConfig>(config));
  };
  family.make_processor = [](const std::filesystem::path& directory, const ModelConfig& model,
                             SpecialText special_text) {
    return make_qwen_processor(directory, model, special_text, kQwenTemplate);
  };
  family.gguf_parts = qwen3_vl_gguf_parts;
  return family;
}

}  // namespace vlsi
