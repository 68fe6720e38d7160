#include "family/qwen2_vl/config.h"

#include <c10/util/Exception.h>

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

const Qwen2VlConfig& qwen2_vl_config(const ModelConfig& config) {
  const auto* own = dynamic_cast<const Qwen2VlConfig*>(config.own.get());
  TORCH_CHECK(own != nullptr, "a configuration of the family ", config.family);
  return *own;
}

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
  const auto& text = config.text;
  const auto& vision = qwen2_vl_config(config);
  return {
      {"architectures", {"Qwen2VLForConditionalGeneration"}},
      {"attention_dropout", 0.0},
      {"bos_token_id", config.bos_token_id},
      {"eos_token_id", token_ids_json(config.eos_token_ids)},
      {"vision_start_token_id", vision.vision_start_token_id},
      {"vision_end_token_id", vision.vision_end_token_id},
      {"vision_token_id", vision.vision_token_id},
      {"image_token_id", config.image_token_id},
      {"video_token_id", vision.video_token_id},
      {"hidden_act", "silu"},
      {"hidden_size", text.hidden_size},
      {"initializer_range", config.initializer_range},
      {"intermediate_size", text.intermediate_size},
      {"max_position_embeddings", text.max_position_embeddings},
      {"max_window_layers", text.num_hidden_layers},
      {"model_type", "qwen2_vl"},
      {"num_attention_heads", text.num_attention_heads},
      {"num_hidden_layers", text.num_hidden_layers},
      {"num_key_value_heads", text.num_key_value_heads},
      {"rms_norm_eps", text.rms_norm_eps},
      {"rope_theta", text.rope_theta},
      {"sliding_window", text.max_position_embeddings},
      {"tie_word_embeddings", text.tie_word_embeddings},
      {"torch_dtype", dtype},
      {"transformers_version", "4.41.2"},
      {"use_cache", true},
      {"use_sliding_window", false},
      {"vision_config",
       {
           {"depth", vision.depth},
           {"embed_dim", vision.embed_dim},
           {"mlp_ratio", number_json(vision.mlp_ratio)},
           {"num_heads", vision.num_heads},
           {"in_chans", vision.in_channels},
           {"in_channels", vision.in_channels},
           {"hidden_size", vision.hidden_size},
           {"patch_size", vision.patch_size},
           {"spatial_merge_size", vision.spatial_merge_size},
           {"spatial_patch_size", vision.patch_size},
           {"temporal_patch_size", vision.temporal_patch_size},
           {"hidden_act", "quick_gelu"},
           {"model_type", "qwen2_vl"},
       }},
      {"rope_scaling", {{"type", "mrope"}, {"mrope_section", text.rope_sections}}},
      {"vocab_size", text.vocab_size},
  };
}

}  // namespace vlsi
