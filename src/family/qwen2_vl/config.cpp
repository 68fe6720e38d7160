#include "family/qwen2_vl/config.h"

#include "family/config_keys.h"

namespace vlsi {
namespace {

void read_vision(const Json& json, const TextConfig& text, const std::string& place, Qwen2VlConfig& vision) {
  const Json inner = nested_object(json, "vision_config", place);
  const Json none = Json::object();
  const ConfigKeys lookup(inner, none, place + ", vision_config");
  read_qwen_vision(lookup, vision);
  lookup.read_size("embed_dim", vision.embed_dim);
  lookup.read_size("hidden_size", vision.hidden_size);
  lookup.read("mlp_ratio", vision.mlp_ratio);
  expect_word(inner, "hidden_act", "quick_gelu", place + ", vision_config");
  if (!(vision.mlp_ratio > 0 && vision.mlp_ratio < 1024))
    fail(place, ", vision_config: mlp_ratio is ", vision.mlp_ratio);
  check_qwen_vision(vision, text, "vision embed_dim", "hidden_size", place);
}

}  // namespace

ModelConfig read_qwen2_vl_config(const Json& json, const std::string& place) {
  refuse_quantized(json, place);
  ModelConfig config;
  config.family = "qwen2_vl";
  config.text = read_decoder_config(json, place);
  const auto own = std::make_shared<Qwen2VlConfig>();
  read_vision(json, config.text, place, *own);
  const Json inner = nested_object(json, "text_config", place);
  const ConfigKeys keys(inner, json, place);
  read_general_keys(keys, config);
  keys.read("vision_token_id", own->vision_token_id);
  read_qwen_tokens(keys, config, *own, place);
  config.own = own;
  return config;
}

OrderedJson write_qwen2_vl_config(const ModelConfig& config, const std::string& dtype) {
  const auto& vision = own_config<Qwen2VlConfig>(config);
  auto vision_json = qwen_vision_json(vision);
  vision_json.update(OrderedJson{{"embed_dim", vision.embed_dim},
                                 {"hidden_act", "quick_gelu"},
                                 {"hidden_size", vision.hidden_size},
                                 {"in_chans", vision.in_channels},
                                 {"mlp_ratio", number_json(vision.mlp_ratio)},
                                 {"model_type", "qwen2_vl"},
                                 {"spatial_patch_size", vision.patch_size}});
  OrderedJson json{{"architectures", {"Qwen2VLForConditionalGeneration"}}, {"model_type", "qwen2_vl"}};
  json.update(qwen2_decoder_json(config, dtype));
  json.update(qwen_tokens_json(config, vision));
  json.update(OrderedJson{{"rope_scaling", {{"type", "mrope"}, {"mrope_section", config.text.rope_sections}}},
                          {"transformers_version", "4.41.2"},
                          {"vision_config", vision_json},
                          {"vision_token_id", vision.vision_token_id}});
  return json;
}

}  // namespace vlsi
