#include "family/qwen2_vl/family.h"

#include "family/qwen2_vl/config.h"
#include "family/qwen2_vl/processor.h"
#include "family/qwen2_vl/tower.h"

namespace vlsi {

Family qwen2_vl_family() {
  Family family{"qwen2_vl", "Qwen2-VL", "<|image_pad|>", read_qwen2_vl_config, write_qwen2_vl_config, {}, {}, {}, {}};
  family.namings = {{"gen-1",  // transformers up to 4.51, and the hub's files
                     {{"visual.merger.", "projector."},
                      {"visual.", "vision."},
                      {"model.embed_tokens.", "embeddings."},
                      {"model.layers.", "decoder.layers."},
                      {"model.norm.", "decoder.norm."},
                      {"lm_head.", "head."}}},
                    {"gen-2",  // the modules of transformers from 4.52 on
                     {{"model.visual.merger.", "projector."},
                      {"model.visual.", "vision."},
                      {"model.language_model.embed_tokens.", "embeddings."},
                      {"model.language_model.layers.", "decoder.layers."},
                      {"model.language_model.norm.", "decoder.norm."},
                      {"lm_head.", "head."}}}};
  family.make_tower = [](const ModelConfig& config) -> std::shared_ptr<VisionTower> {
    return std::make_shared<Qwen2VlTower>(qwen2_vl_config(config));
  };
  family.make_projector = [](const ModelConfig& config) -> std::shared_ptr<Projector> {
    return std::make_shared<Qwen2VlMerger>(qwen2_vl_config(config));
  };
  family.make_processor = [](const std::filesystem::path& directory, const ModelConfig& model,
                             SpecialText special_text) -> std::unique_ptr<Processor> {
    return std::make_unique<Qwen2VlProcessor>(directory, model, special_text);
  };
  return family;
}

}  // namespace vlsi
