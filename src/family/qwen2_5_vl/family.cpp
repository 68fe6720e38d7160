#include "family/qwen2_5_vl/family.h"

#include "family/qwen2_5_vl/config.h"
#include "family/qwen2_5_vl/gguf.h"
#include "family/qwen2_5_vl/tower.h"
#include "family/qwen_family.h"

namespace vlsi {

Family qwen2_5_vl_family() {
  Family family{
      "qwen2_5_vl", "Qwen2.5-VL", kQwenPictureToken, read_qwen2_5_vl_config, write_qwen2_5_vl_config, {}, {}, {}, {}};
  family.namings = qwen_namings();
  family.make_tower = [](const ModelConfig& config) -> std::shared_ptr<VisionTower> {
    return std::make_shared<Qwen25VlTower>(own_config<Qwen25VlConfig>(config));
  };
  family.make_projector = [](const ModelConfig& config) -> std::shared_ptr<Projector> {
    return std::make_shared<Qwen25VlMerger>(own_config<Qwen25VlConfig>(config));
  };
  family.make_processor = [](const std::filesystem::path& directory, const ModelConfig& model,
                             SpecialText special_text) {
    return make_qwen_processor(directory, model, special_text, kQwenTemplateWithSystem);
  };
  family.gguf_parts = qwen2_5_vl_gguf_parts;
  return family;
}

}  // namespace vlsi
