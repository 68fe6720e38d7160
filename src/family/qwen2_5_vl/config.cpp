#include "family/qwen2_5_vl/config.h"

#include "base/error.h"
#include "family/config_keys.h"

namespace vlsi {
namespace {

void read_vision(const Json& json, const TextConfig& text, const std::string& place, Qwen25VlConfig& vision) {
  const Json inner = nested_object(json, "vision_config", place);
  const Json none = Json::object();
  const std::string inner_place = place + ", vision_config";
  const ConfigKeys keys(inner, none, inner_place);
  read_qwen_vision(keys, vision);
  keys.read_size("hidden_size", vision.hidden_size);
  keys.read_size("intermediate_size", vision.intermediate_size);
  keys.read_size("out_hidden_size", vision.out_hidden_size);
  keys.read_size("window_size", vision.window_size);
  keys.read("fullatt_block_indexes", vision.fullatt_block_indexes);
  keys.read("tokens_per_second", vision.tokens_per_second);
  expect_word(inner, "hidden_act", "silu", inner_place);
  if (vision.window_cells() < 1) {
    fail(inner_place, ": key 'window_size' is ", vision.window_size, ", expected at least one merged patch, ",
         vision.patch_size * vision.spatial_merge_size);
  }
  check_qwen_vision(vision, text, "vision hidden_size", "out_hidden_size", place);
}

}  // namespace

ModelConfig read_qwen2_5_vl_config(const Json& json, const std::string& place) {
  refuse_quantized(json, place);
  ModelConfig config;
  config.family = "qwen2_5_vl";
  config.text = read_decoder_config(json, place);
  const auto own = std::make_shared<Qwen25VlConfig>();
  read_vision(json, config.text, place, *own);
  const Json inner = nested_object(json, "text_config", place);
  const ConfigKeys keys(inner, json, place);
  read_general_keys(keys, config);
  read_qwen_tokens(keys, config, *own, place);
  keys.read("vision_token_id", own->vision_token_id);
  config.own = own;
  return config;
}

OrderedJson write_qwen2_5_vl_config(const ModelConfig& config, const std::string& dtype) {
  const auto& vision = own_config<Qwen25VlConfig>(config);
  auto vision_json = qwen_vision_json(vision);
  vision_json.update(OrderedJson{{"fullatt_block_indexes", vision.fullatt_block_indexes},
                                 {"hidden_act", "silu"},
                                 {"hidden_size", vision.hidden_size},
                                 {"in_chans", vision.in_channels},
                                 {"intermediate_size", vision.intermediate_size},
                                 {"model_type", "qwen2_5_vl"},
                                 {"out_hidden_size", vision.out_hidden_size},
                                 {"spatial_patch_size", vision.patch_size},
                                 {"tokens_per_second", number_json(vision.tokens_per_second)},
                                 {"window_size", vision.window_size}});
  OrderedJson json{{"architectures", {"Qwen2_5_VLForConditionalGeneration"}}, {"model_type", "qwen2_5_vl"}};
  json.update(qwen2_decoder_json(config, dtype));
  json.update(qwen_tokens_json(config, vision));
  json.update(OrderedJson{{"rope_scaling", {{"type", "mrope"}, {"mrope_section", config.text.rope_sections}}},
                          {"sliding_window", 32768},
                          {"transformers_version", "4.41.2"},
                          {"vision_config", vision_json},
                          {"vision_token_id", vision.vision_token_id}});
  return json;
}

}  // namespace vlsi
