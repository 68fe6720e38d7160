#include "family/llava_onevision/family.h"

#include "family/config_keys.h"
#include "family/llava_onevision/config.h"
#include "family/llava_onevision/gguf.h"
#include "family/llava_onevision/pictures.h"
#include "family/llava_onevision/projector.h"
#include "family/llava_onevision/tower.h"

namespace vlsi {
namespace {

constexpr std::string_view kPictureToken = "<image>";

/// A turn's pictures first, then its texts; no system turn where there is none.
constexpr std::string_view kTemplate = R"({%- for message in messages %}
{{- '<|im_start|>' + message.role + '\n' }}
{%- if message.content is string %}{{ message.content }}{% else %}
{%- for part in message.content %}
{%- if part.type == 'image' %}{{ '<image>\n' }}{% endif %}
{%- endfor %}
{%- for part in message.content %}
{%- if part.type == 'text' %}{{ part.text }}{% endif %}
{%- endfor %}
{%- endif %}
{{- '<|im_end|>\n' }}
{%- endfor %}
{%- if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %})";

/// As the model's authors write conversations: a turn's parts in their order, and always a system turn.
constexpr std::string_view kAuthorsTemplate = R"({%- for message in messages %}
{%- if loop.first and message.role != 'system' %}{{ '<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n' }}{% endif %}
{{- '<|im_start|>' + message.role + '\n' }}
{%- if message.content is string %}{{ message.content }}{% else %}
{%- for part in message.content %}
{%- if part.type == 'image' %}{{ '<image>\n' }}{% else %}{{ part.text }}{% endif %}
{%- endfor %}
{%- endif %}
{{- '<|im_end|>\n' }}
{%- endfor %}
{%- if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %})";

}  // namespace

Family llava_onevision_family() {
  Family family{"llava_onevision",
                "LLaVA-OneVision",
                "<image>",
                read_llava_onevision_config,
                write_llava_onevision_config,
                {},
                {},
                {},
                {}};
  family.other_types = {"llava_qwen", "llava"};
  family.namings = {{"gen-1",  // the hub's files; transformers from 5 on leaves vision_model out of its own
                     {{"vision_tower.vision_model.head.", ""},
                      {"vision_tower.head.", ""},
                      {"vision_tower.vision_model.", "vision."},
                      {"vision_tower.", "vision."},
                      {"image_newline", "projector.image_newline"},
                      {"multi_modal_projector.", "projector."},
                      {"language_model.model.embed_tokens.", "embeddings."},
                      {"language_model.model.layers.", "decoder.layers."},
                      {"language_model.model.norm.", "decoder.norm."},
                      {"language_model.lm_head.", "head."}}},
                    {"lmms-lab",  // the files of the model's authors
                     {{"model.vision_tower.vision_tower.vision_model.head.", ""},
                      {"model.vision_tower.vision_tower.vision_model.", "vision."},
                      {"model.image_newline", "projector.image_newline"},
                      {"model.mm_projector.0.", "projector.linear_1."},
                      {"model.mm_projector.2.", "projector.linear_2."},
                      {"model.embed_tokens.", "embeddings."},
                      {"model.layers.", "decoder.layers."},
                      {"model.norm.", "decoder.norm."},
                      {"lm_head.", "head."}}},
                    {"gen-2",  // the modules of transformers from 4.52 on
                     {{"model.vision_tower.vision_model.head.", ""},
                      {"model.vision_tower.head.", ""},
                      {"model.vision_tower.vision_model.", "vision."},
                      {"model.vision_tower.", "vision."},
                      {"model.image_newline", "projector.image_newline"},
                      {"model.multi_modal_projector.", "projector."},
                      {"model.language_model.embed_tokens.", "embeddings."},
                      {"model.language_model.layers.", "decoder.layers."},
                      {"model.language_model.norm.", "decoder.norm."},
                      {"lm_head.", "head."}}}};
  family.make_tower = [](const ModelConfig& config) -> std::shared_ptr<VisionTower> {
    return std::make_shared<SiglipTower>(own_config<LlavaOnevisionConfig>(config));
  };
  family.make_projector = [](const ModelConfig& config) -> std::shared_ptr<Projector> {
    return std::make_shared<LlavaOnevisionProjector>(own_config<LlavaOnevisionConfig>(config));
  };
  family.make_processor = [](const std::filesystem::path& directory, const ModelConfig& model,
                             SpecialText special_text) -> std::unique_ptr<Processor> {
    ChatSettings settings{kPictureToken, {"<video>"}, kTemplate, nullptr};
    settings.template_without_token = kAuthorsTemplate;
    settings.pictures =
        std::make_unique<LlavaOnevisionPictureReader>(directory, own_config<LlavaOnevisionConfig>(model));
    return std::make_unique<ChatProcessor>(directory, model, special_text, std::move(settings));
  };
  family.gguf_parts = llava_onevision_gguf_parts;
  return family;
}

}  // namespace vlsi
