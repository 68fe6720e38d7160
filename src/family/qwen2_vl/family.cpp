#include "family/qwen2_vl/family.h"

#include "family/qwen2_vl/config.h"
#include "family/qwen2_vl/gguf.h"
#include "family/qwen2_vl/tower.h"
#include "family/qwen_family.h"

namespace vlsi {

Family qwen2_vl_family() {
  Family family{"qwen2_vl", "Qwen2-VL", kQwenPictureToken, read_qwen2_vl_config, write_qwen2_vl_config, {}, {}, {}, {}};
  family.namings = qwen_namings();
  family.make_tower = [](const ModelConfig& config) -> std::shared_ptr<VisionTower> {
    return std::make_shared<Qwen2VlTower>(own_config<Qwen2VlConfig>(config));
  };
  family.make_projector = [](const ModelConfig& config) -> std::shared_ptr<Projector> {
    return std::make_shared<Qwen2VlMerger>(own_config<Qwen2VlConfig>(config));
  };
  family.make_processor = [](const std::filesystem::path& directory, const ModelConfig& model,
                             SpecialText special_text) {
    return make_qwen_processor(directory, model, special_text, kQwenTemplateWithSystem);
  };
  family.gguf_parts = qwen2_vl_gguf_parts;
  return family;
}

}  // namespace vlsi
