#include "family/qwen_family.h"

#include "family/chat_processor.h"
#include "family/qwen_pictures.h"

namespace vlsi {

const std::string_view kQwenTemplateWithSystem = R"({%- for message in messages %}
{%- if loop.first and message.role != 'system' %}{{ '<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n' }}{% endif %}
{{- '<|im_start|>' + message.role + '\n' }}
{%- if message.content is string %}{{ message.content }}{% else %}
{%- for part in message.content %}
{%- if part.type == 'image' %}{{ '<|vision_start|><|image_pad|><|vision_end|>' }}{% else %}{{ part.text }}{% endif %}
{%- endfor %}
{%- endif %}
{{- '<|im_end|>\n' }}
{%- endfor %}
{%- if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %})";

const std::string_view kQwenTemplate = R"({%- for message in messages %}
{{- '<|im_start|>' + message.role + '\n' }}
{%- if message.content is string %}{{ message.content }}{% else %}
{%- for part in message.content %}
{%- if part.type == 'image' %}{{ '<|vision_start|><|image_pad|><|vision_end|>' }}{% else %}{{ part.text }}{% endif %}
{%- endfor %}
{%- endif %}
{{- '<|im_end|>\n' }}
{%- endfor %}
{%- if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %})";

std::vector<WeightNames> qwen_namings() {
  return {{"gen-1",  // transformers up to 4.51, and the hub's files of Qwen2-VL and Qwen2.5-VL
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
            {"lm_head.", "head."}}},
          {"base",  // a base model that was saved without its head
           {{"visual.merger.", "projector."},
            {"visual.", "vision."},
            {"language_model.embed_tokens.", "embeddings."},
            {"language_model.layers.", "decoder.layers."},
            {"language_model.norm.", "decoder.norm."},
            {"lm_head.", "head."}}}};
}

std::unique_ptr<Processor> make_qwen_processor(const std::filesystem::path& directory, const ModelConfig& model,
                                               SpecialText special_text, std::string_view default_template) {
  const auto* vision = dynamic_cast<const QwenVision*>(model.own.get());
  TORCH_CHECK(vision != nullptr, "a configuration of the family ", model.family);
  return std::make_unique<ChatProcessor>(directory, model, special_text,
                                         ChatSettings{kQwenPictureToken,
                                                      {"<|video_pad|>"},
                                                      default_template,
                                                      std::make_unique<QwenPictureReader>(directory, *vision)});
}

}  // namespace vlsi
