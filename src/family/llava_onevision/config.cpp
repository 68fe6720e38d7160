#include "family/llava_onevision/config.h"

#include <charconv>

#include "base/quoted.h"
#include "family/config_keys.h"

namespace vlsi {
namespace {

constexpr int64_t kMaxGridSide = 64, kMaxGrids = 4096;  // views

/// The class defaults of the decoder that pruned files leave out.
TextConfig qwen2_defaults() {
  TextConfig text;
  text.vocab_size = 151936;
  text.hidden_size = 4096;
  text.intermediate_size = 22016;
  text.num_hidden_layers = 32;
  text.num_attention_heads = 32;
  text.num_key_value_heads = 32;
  text.rms_norm_eps = 1e-6;
  text.rope_theta = 1e4;
  text.rope_sections = {};
  return text;
}

/// What is read of a vision_config has SigLIP's class defaults.
void read_vision(const Json& vision, const std::string& place, LlavaOnevisionConfig& config) {
  const Json none = Json::object();
  const ConfigKeys lookup(vision, none, place);
  config.hidden_size = 768;
  config.intermediate_size = 3072;
  config.num_layers = config.num_heads = 12;
  config.image_size = 224;
  config.patch_size = 16;
  lookup.read_size("hidden_size", config.hidden_size);
  lookup.read_size("intermediate_size", config.intermediate_size);
  lookup.read_size("num_hidden_layers", config.num_layers, 4096);
  lookup.read_size("num_attention_heads", config.num_heads);
  lookup.read_size("num_channels", config.num_channels, 1024);
  lookup.read_size("image_size", config.image_size, 1 << 14);
  lookup.read_size("patch_size", config.patch_size, 1024);
  lookup.read("layer_norm_eps", config.layer_norm_eps);
  expect_word(vision, "model_type", "siglip_vision_model", place);
  expect_word(vision, "hidden_act", "gelu_pytorch_tanh", place);
  check_divides(config.num_heads, "num_attention_heads", config.hidden_size, "hidden_size", place);
  if (!(config.layer_norm_eps > 0)) fail(place, ": layer_norm_eps must be positive");
  if (config.patch_size > config.image_size) {
    fail(place, ": patch_size ", config.patch_size, " is larger than image_size ", config.image_size);
  }
}

/// "anyres_max_9" -> 9
int64_t read_max_views(const Json& json, const char* key, const std::string& place) {
  constexpr std::string_view kPrefix = "anyres_max_";
  const auto word = find<std::string>(json, key, place).value_or("anyres_max_9");
  int64_t views = 0;
  const auto* end = word.data() + word.size();
  if (word.starts_with(kPrefix) && std::from_chars(word.data() + kPrefix.size(), end, views).ptr == end && views >= 1 &&
      views <= kMaxGridSide * kMaxGridSide)
    return views;
  fail(place, ": key '", key, "' is ", quoted(word), ", which is not supported; expected \"anyres_max_\" and a number");
}

/// The grids, each a whole number of views high and wide; without the key, those of up to 6 by 6 views.
void read_grids(const Json& json, const std::string& place, bool width_first, LlavaOnevisionConfig& config) {
  constexpr const char* kKey = "image_grid_pinpoints";
  const auto stored = find<Json>(json, kKey, place);
  if (!stored) {
    for (int64_t height = 1; height <= 6; ++height) {
      for (int64_t width = 1; width <= 6; ++width)
        config.grid_pixels.emplace_back(height * config.image_size, width * config.image_size);
    }
    return;
  }
  if (!stored->is_array() || stored->empty() || std::ssize(*stored) > kMaxGrids)
    fail(place, ": key '", kKey, "' is ", describe(*stored), ", expected a list of 1 to ", kMaxGrids, " pairs");
  for (const auto& pair : *stored) {
    const bool is_pair =
        pair.is_array() && pair.size() == 2 && pair[0].is_number_integer() && pair[1].is_number_integer();
    if (!is_pair) fail(place, ": key '", kKey, "' holds ", pair.dump(), ", expected pairs of integers");
    for (const auto& side : pair) {
      if (side < config.image_size || side > kMaxGridSide * config.image_size ||
          side.get<int64_t>() % config.image_size != 0)
        fail(place, ": key '", kKey, "' holds ", pair.dump(), ", expected 1 to ", kMaxGridSide, " times the ",
             config.image_size, " pixels of a view");
    }
    config.grid_pixels.emplace_back(pair[width_first ? 1 : 0], pair[width_first ? 0 : 1]);
  }
}

void refuse_other_features(const Json& json, const std::string& place) {
  const auto layer = find<Json>(json, "vision_feature_layer", place).value_or(-1);
  if (layer != -1)
    fail(place, ": key 'vision_feature_layer' is ", layer.dump(), ", which is not supported; expected -1");
  expect_word(json, "vision_feature_select_strategy", "full", place);
  expect_word(json, "projector_hidden_act", "gelu", place);
  for (const char* key : {"multimodal_projector_bias", "use_image_newline_parameter"}) {
    if (!find<bool>(json, key, place).value_or(true))
      fail(place, ": key '", key, "' is false, which is not supported; expected true");
  }
}

/// Error for a file of transformers' class for LLaVA-1.5, which shares its model_type with lmms-lab's files.
void refuse_first_llava(const Json& json, const std::string& place) {
  if (find<Json>(json, "mm_vision_tower", place) || !find<Json>(json, "vision_config", place)) return;
  fail(place,
       ": key 'model_type' is \"llava\" in a file with 'vision_config', which is of LLaVA-1.5 and its like, "
       "another family that is not supported; expected \"llava_onevision\", or lmms-lab's flat file with "
       "'mm_vision_tower'");
}

/// lmms-lab's files name the tower and the steps.
void read_flat(const Json& json, const std::string& place, LlavaOnevisionConfig& config) {
  require<std::string>(json, "mm_vision_tower", place);
  expect_word(json, "mm_vision_tower", "google/siglip-so400m-patch14-384", place);
  expect_word(json, "mm_projector_type", "mlp2x_gelu", place);
  expect_word(json, "mm_patch_merge_type", "spatial_unpad", place);
  for (const char* key : {"mm_use_im_start_end", "mm_use_im_patch_token"}) {
    if (find<bool>(json, key, place).value_or(false))
      fail(place, ": key '", key, "' is true, which is not supported; expected false");
  }
  config.max_views = read_max_views(json, "image_aspect_ratio", place);
  read_grids(json, place, /*width_first=*/true, config);
}

void read_nested(const Json& json, const std::string& place, LlavaOnevisionConfig& config) {
  const auto vision = find<Json>(json, "vision_config", place);
  if (vision) read_vision(nested_object(json, "vision_config", place), place + ", vision_config", config);
  refuse_other_features(json, place);
  expect_word(nested_object(json, "text_config", place), "model_type", "qwen2", place + ", text_config");
  config.max_views = read_max_views(json, "vision_aspect_ratio", place);
  read_grids(json, place, /*width_first=*/false, config);
}

OrderedJson written_text(const ModelConfig& config, const std::string& dtype) {
  OrderedJson json{{"architectures", {"Qwen2ForCausalLM"}}, {"model_type", "qwen2"}};
  json.update(qwen2_decoder_json(config, dtype));
  return json;
}

OrderedJson written_vision(const LlavaOnevisionConfig& own) {
  return {
      {"hidden_act", "gelu_pytorch_tanh"},
      {"hidden_size", own.hidden_size},
      {"image_size", own.image_size},
      {"intermediate_size", own.intermediate_size},
      {"layer_norm_eps", own.layer_norm_eps},
      {"model_type", "siglip_vision_model"},
      {"num_attention_heads", own.num_heads},
      {"num_channels", own.num_channels},
      {"num_hidden_layers", own.num_layers},
      {"patch_size", own.patch_size},
      {"vision_use_head", false},
  };
}

}  // namespace

std::string LlavaOnevisionConfig::tower_text() const {
  return concat(num_layers, " layers x ", hidden_size, ", heads ", num_heads, ", views of ", image_size,
                " pixels, patch ", patch_size);
}

ModelConfig read_llava_onevision_config(const Json& json, const std::string& place) {
  refuse_quantized(json, place);
  const bool is_nested = json.at("model_type") == "llava_onevision";
  if (!is_nested) refuse_first_llava(json, place);
  ModelConfig config;
  config.family = "llava_onevision";
  Json complete = json;
  complete.emplace("max_window_layers", 28);  // the class default
  config.text = read_decoder_config(complete, place, qwen2_defaults());
  const auto own = std::make_shared<LlavaOnevisionConfig>();
  own->text_hidden_size = config.text.hidden_size;
  (is_nested ? read_nested : read_flat)(json, place, *own);
  const Json inner = nested_object(json, "text_config", place);
  const ConfigKeys keys(inner, json, place);
  config.image_token_id = 151646;
  read_general_keys(keys, config);
  keys.read("image_token_index", config.image_token_id);
  keys.read("video_token_id", own->video_token_id);
  keys.read("video_token_index", own->video_token_id);
  if (config.image_token_id < 0 || config.image_token_id >= config.text.vocab_size) {
    fail(place, ": image token id ", config.image_token_id, " is outside the vocabulary of ", config.text.vocab_size,
         " rows");
  }
  config.own = own;
  return config;
}

OrderedJson write_llava_onevision_config(const ModelConfig& config, const std::string& dtype) {
  const auto& own = own_config<LlavaOnevisionConfig>(config);
  OrderedJson grids = OrderedJson::array();
  for (const auto& [height, width] : own.grid_pixels) grids.push_back({height, width});
  return {
      {"architectures", {"LlavaOnevisionForConditionalGeneration"}},
      {"ignore_index", -100},
      {"image_grid_pinpoints", grids},
      {"image_token_index", config.image_token_id},
      {"model_type", "llava_onevision"},
      {"projector_hidden_act", "gelu"},
      {"text_config", written_text(config, dtype)},
      {"tie_word_embeddings", config.text.tie_word_embeddings},
      {"torch_dtype", dtype},
      {"transformers_version", "4.45.0"},
      {"use_image_newline_parameter", true},
      {"video_token_index", own.video_token_id},
      {"vision_aspect_ratio", concat("anyres_max_", own.max_views)},
      {"vision_config", written_vision(own)},
      {"vision_feature_layer", -1},
      {"vision_feature_select_strategy", "full"},
  };
}

}  // namespace vlsi
