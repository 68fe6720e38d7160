#include "family/qwen2_5_vl/config.h"

#include <c10/util/Exception.h>

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

const Qwen25VlConfig& qwen2_5_vl_config(const ModelConfig& config) {
  const auto* own = dynamic_cast<const Qwen25VlConfig*>(config.own.get());
  TORCH_CHECK(own != nullptr, "a configuration of the family ", config.family);
  return *own;
}

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
  const auto& text = config.text;
  const auto& vision = qwen2_5_vl_config(config);
  OrderedJson json{{"architectures", {"Qwen2_5_VLForConditionalGeneration"}}, {"attention_dropout", 0.0}};
  json.update(OrderedJson{{"bos_token_id", config.bos_token_id},
                          {"eos_token_id", token_ids_json(config.eos_token_ids)},
                          {"vision_start_token_id", vision.vision_start_token_id},
                          {"vision_end_token_id", vision.vision_end_token_id},
                          {"vision_token_id", vision.vision_token_id},
                          {"image_token_id", config.image_token_id},
                          {"video_token_id", vision.video_token_id}});
  json.update(decoder_sizes_json(text));
  json.update(OrderedJson{
      {"initializer_range", config.initializer_range},
      {"max_window_layers", text.num_hidden_layers},
      {"model_type", "qwen2_5_vl"},
      {"rope_scaling", {{"type", "mrope"}, {"mrope_section", text.rope_sections}}},
      {"sliding_window", 32768},
      {"tie_word_embeddings", text.tie_word_embeddings},
      {"torch_dtype", dtype},
      {"transformers_version", "4.41.2"},
      {"use_cache", true},
      {"use_sliding_window", false},
      {"vision_config",
       {
           {"depth", vision.depth},
           {"hidden_act", "silu"},
           {"hidden_size", vision.hidden_size},
           {"intermediate_size", vision.intermediate_size},
           {"num_heads", vision.num_heads},
           {"in_chans", vision.in_channels},
           {"in_channels", vision.in_channels},
           {"out_hidden_size", vision.out_hidden_size},
           {"patch_size", vision.patch_size},
           {"spatial_merge_size", vision.spatial_merge_size},
           {"spatial_patch_size", vision.patch_size},
           {"window_size", vision.window_size},
           {"fullatt_block_indexes", vision.fullatt_block_indexes},
           {"tokens_per_second", number_json(vision.tokens_per_second)},
           {"temporal_patch_size", vision.temporal_patch_size},
           {"model_type", "qwen2_5_vl"},
       }},
  });
  return json;
}

}  // namespace vlsi
