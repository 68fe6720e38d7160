#include "family/qwen3_vl/config.h"

#include <cmath>

#include "base/error.h"
#include "family/config_keys.h"

namespace vlsi {
namespace {

/// The class defaults of the text model, and what its decoder has beside Qwen2's.
TextConfig decoder_defaults() {
  TextConfig text;
  text.vocab_size = 151936;
  text.hidden_size = 4096;
  text.intermediate_size = 22016;
  text.num_hidden_layers = 32;
  text.num_attention_heads = 32;
  text.num_key_value_heads = 32;
  text.head_size = 128;
  text.max_position_embeddings = 128000;
  text.rms_norm_eps = 1e-6;
  text.rope_theta = 5e5;
  text.rope_sections = {24, 20, 20};
  text.rope_is_interleaved = true;
  text.has_qkv_bias = false;
  text.has_qk_norm = true;
  return text;
}

void read_vision(const Json& json, const TextConfig& text, const std::string& place, Qwen3VlConfig& vision) {
  const Json inner = nested_object(json, "vision_config", place);
  const Json none = Json::object();
  const std::string inner_place = place + ", vision_config";
  const ConfigKeys keys(inner, none, inner_place);
  read_qwen_vision(keys, vision);
  keys.read_size("hidden_size", vision.hidden_size);
  keys.read_size("intermediate_size", vision.intermediate_size);
  keys.read_size("out_hidden_size", vision.out_hidden_size);
  keys.read_size("num_position_embeddings", vision.num_position_embeddings);
  keys.read("deepstack_visual_indexes", vision.deepstack_visual_indexes);
  expect_word(inner, "hidden_act", "gelu_pytorch_tanh", inner_place);
  const auto side = static_cast<int64_t>(std::lround(std::sqrt(static_cast<double>(vision.num_position_embeddings))));
  if (side * side != vision.num_position_embeddings) {
    fail(inner_place, ": key 'num_position_embeddings' is ", vision.num_position_embeddings, ", expected a square");
  }
  const auto& taps = vision.deepstack_visual_indexes;
  if (std::ssize(taps) > text.num_hidden_layers) {
    fail(inner_place, ": key 'deepstack_visual_indexes' has ", taps.size(), " entries, the decoder ",
         text.num_hidden_layers, " layers; expected at most as many");
  }
  for (size_t i = 0; i < taps.size(); ++i) {
    if (taps[i] < (i == 0 ? 0 : taps[i - 1] + 1) || taps[i] >= vision.depth) {
      fail(inner_place, ": key 'deepstack_visual_indexes' has ", taps[i], " in place ", i,
           ", expected ascending blocks below the depth ", vision.depth);
    }
  }
  check_qwen_vision(vision, text, "vision hidden_size", "out_hidden_size", place);
}

}  // namespace

ModelConfig read_qwen3_vl_config(const Json& json, const std::string& place) {
  refuse_quantized(json, place);
  ModelConfig config;
  config.family = "qwen3_vl";
  config.text = read_decoder_config(json, place, decoder_defaults());
  // transformers looks at the top of the file alone.
  config.text.tie_word_embeddings = find<bool>(json, "tie_word_embeddings", place).value_or(false);
  const auto own = std::make_shared<Qwen3VlConfig>();
  read_vision(json, config.text, place, *own);
  for (size_t i = 0; i < own->deepstack_visual_indexes.size(); ++i) {
    config.text.rows_added_after.push_back(static_cast<int64_t>(i));
  }
  const Json inner = nested_object(json, "text_config", place);
  const ConfigKeys keys(inner, json, place);
  read_general_keys(keys, config);
  read_qwen_tokens(keys, config, *own, place);
  config.own = own;
  return config;
}

OrderedJson write_qwen3_vl_config(const ModelConfig& config, const std::string& dtype) {
  const auto& text = config.text;
  const auto& vision = own_config<Qwen3VlConfig>(config);
  OrderedJson decoder{{"attention_bias", false},
                      {"attention_dropout", 0.0},
                      {"bos_token_id", config.bos_token_id},
                      {"dtype", dtype},
                      {"eos_token_id", token_ids_json(config.eos_token_ids)},
                      {"head_dim", text.head_dim()}};
  decoder.update(decoder_sizes_json(text));
  decoder.update(OrderedJson{
      {"initializer_range", config.initializer_range},
      {"model_type", "qwen3_vl_text"},
      {"rope_scaling", {{"mrope_interleaved", true}, {"mrope_section", text.rope_sections}, {"rope_type", "default"}}},
      {"tie_word_embeddings", text.tie_word_embeddings},
      {"use_cache", true},
  });
  auto vision_json = qwen_vision_json(vision);
  vision_json.update(OrderedJson{{"deepstack_visual_indexes", vision.deepstack_visual_indexes},
                                 {"hidden_act", "gelu_pytorch_tanh"},
                                 {"hidden_size", vision.hidden_size},
                                 {"initializer_range", config.initializer_range},
                                 {"intermediate_size", vision.intermediate_size},
                                 {"model_type", "qwen3_vl"},
                                 {"num_position_embeddings", vision.num_position_embeddings},
                                 {"out_hidden_size", vision.out_hidden_size}});
  OrderedJson json{{"architectures", {"Qwen3VLForConditionalGeneration"}}, {"model_type", "qwen3_vl"}};
  json.update(qwen_tokens_json(config, vision));
  json.update(OrderedJson{{"text_config", decoder},
                          {"tie_word_embeddings", text.tie_word_embeddings},
                          {"transformers_version", "4.57.0"},
                          {"vision_config", vision_json}});
  return json;
}

}  // namespace vlsi
