#include "model/config.h"

#include <cmath>

#include "base/quoted.h"

namespace vlsi {
namespace {

/// Looks a key up in a nested object first, then in the flat one.
class Lookup {
 public:
  Lookup(const Json& inner, const Json& outer, std::string place)
      : inner_(inner), outer_(outer), place_(std::move(place)) {}

  template <class T>
  void read(const std::string& key, T& value) const {
    if (auto found = find<T>(inner_, key, place_)) {
      value = *found;
    } else if (auto outer_found = find<T>(outer_, key, place_)) {
      value = *outer_found;
    }
  }

  void read_size(const std::string& key, int64_t& value, int64_t limit = int64_t{1} << 24) const {
    read(key, value);
    if (value < 1 || value > limit) fail(place_, ": key '", key, "' is ", value, ", expected 1 to ", limit);
  }

  Json object(const std::string& key) const {
    Json found = Json::object();
    read(key, found);
    if (!found.is_object()) fail(place_, ": key '", key, "' is ", describe(found), ", expected an object");
    return found;
  }

 private:
  const Json &inner_, &outer_;
  std::string place_;
};

Json nested(const Json& json, const std::string& key, const std::string& place) {
  Json object = find<Json>(json, key, place).value_or(Json::object());
  if (!object.is_object()) fail(place, ": key '", key, "' is ", describe(object), ", expected an object");
  return object;
}

void check_divides(int64_t divisor, const char* divisor_name, int64_t value, const char* name,
                   const std::string& place) {
  if (value % divisor != 0) fail(place, ": ", name, " ", value, " is not a multiple of ", divisor_name, " ", divisor);
}

/// What the decoder or the tower would compute otherwise than this program does is refused, never passed over.
void expect_word(const Json& object, const char* key, const char* expected, const std::string& place) {
  const auto found = find<std::string>(object, key, place).value_or(expected);
  if (found != expected)
    fail(place, ": key '", key, "' is ", quoted(found), ", which is not supported; expected ", quoted(expected));
}

void refuse_other_rotation(const Json& rope, const char* key, const std::string& place) {
  for (const char* name : {"type", "rope_type"}) {
    const auto type = find<std::string>(rope, name, place).value_or("default");
    if (type != "default" && type != "mrope") {
      fail(place, ": key '", key, ".", name, "' is ", quoted(type),
           ", which is not supported; expected \"mrope\" or \"default\"");
    }
  }
}

/// Layers from `max_window_layers` on would attend to a window of tokens.
void refuse_windows(const Lookup& lookup, int64_t num_layers, const std::string& place) {
  bool has_window = false;
  int64_t first = 80;
  lookup.read("use_sliding_window", has_window);
  lookup.read("max_window_layers", first);
  if (has_window && first < num_layers) {
    fail(place, ": key 'use_sliding_window' is true for the layers from ", first,
         " on, which is not supported; expected false");
  }
  std::vector<std::string> layer_types;
  lookup.read("layer_types", layer_types);
  for (const auto& type : layer_types) {
    if (type != "full_attention") {
      fail(place, ": key 'layer_types' has ", quoted(type), ", which is not supported; expected \"full_attention\"");
    }
  }
}

TextConfig parse_text(const Json& json, const std::string& place) {
  const Json inner = nested(json, "text_config", place);
  const Lookup lookup(inner, json, place);
  TextConfig text;
  lookup.read_size("vocab_size", text.vocab_size);
  lookup.read_size("hidden_size", text.hidden_size);
  lookup.read_size("intermediate_size", text.intermediate_size);
  lookup.read_size("num_hidden_layers", text.num_hidden_layers, 4096);
  lookup.read_size("num_attention_heads", text.num_attention_heads);
  lookup.read_size("num_key_value_heads", text.num_key_value_heads);
  lookup.read_size("max_position_embeddings", text.max_position_embeddings, int64_t{1} << 32);
  lookup.read("rms_norm_eps", text.rms_norm_eps);
  lookup.read("rope_theta", text.rope_theta);
  // A resaved flat file may say it in text_config alone, an older one at the top alone.
  for (const Json* object : {&inner, &json}) {
    text.tie_word_embeddings |= vlsi::find<bool>(*object, "tie_word_embeddings", place).value_or(false);
  }
  for (const char* key : {"rope_scaling", "rope_parameters"}) {
    const Json rope = lookup.object(key);
    refuse_other_rotation(rope, key, place);
    if (auto theta = find<double>(rope, "rope_theta", place)) text.rope_theta = *theta;
    if (auto section = find<std::vector<int64_t>>(rope, "mrope_section", place)) {
      if (section->size() != 3) fail(place, ": mrope_section has ", section->size(), " entries, expected 3");
      std::copy(section->begin(), section->end(), text.mrope_section.begin());
    }
  }

  expect_word(inner.contains("hidden_act") ? inner : json, "hidden_act", "silu", place);
  refuse_windows(lookup, text.num_hidden_layers, place);

  check_divides(text.num_attention_heads, "num_attention_heads", text.hidden_size, "hidden_size", place);
  int64_t head_dim = text.head_dim();
  lookup.read("head_dim", head_dim);
  if (head_dim != text.head_dim()) {
    fail(place, ": key 'head_dim' is ", head_dim, ", expected hidden_size / num_attention_heads, which is ",
         text.head_dim());
  }
  check_divides(text.num_key_value_heads, "num_key_value_heads", text.num_attention_heads, "num_attention_heads",
                place);
  const auto& section = text.mrope_section;
  for (const int64_t part : section) {
    if (part < 0 || part > text.head_dim())
      fail(place, ": mrope_section has the entry ", part, ", expected 0 to head_dim / 2");
  }
  if (2 * (section[0] + section[1] + section[2]) != text.head_dim()) {
    fail(place, ": mrope_section sums to ", section[0] + section[1] + section[2], ", expected half of head_dim ",
         text.head_dim());
  }
  if (!(text.rms_norm_eps > 0) || !(text.rope_theta > 0)) fail(place, ": rms_norm_eps and rope_theta must be positive");
  return text;
}

VisionConfig parse_vision(const Json& json, const TextConfig& text, const std::string& place) {
  const Json inner = nested(json, "vision_config", place);
  const Json none = Json::object();
  const Lookup lookup(inner, none, place + ", vision_config");
  VisionConfig vision;
  lookup.read_size("depth", vision.depth, 4096);
  lookup.read_size("embed_dim", vision.embed_dim);
  lookup.read_size("hidden_size", vision.hidden_size);
  lookup.read_size("num_heads", vision.num_heads);
  lookup.read("mlp_ratio", vision.mlp_ratio);
  lookup.read_size("in_channels", vision.in_channels, 1024);
  lookup.read_size("in_chans", vision.in_channels, 1024);
  lookup.read_size("patch_size", vision.patch_size, 1024);
  lookup.read_size("spatial_merge_size", vision.spatial_merge_size, 64);
  lookup.read_size("temporal_patch_size", vision.temporal_patch_size, 64);
  expect_word(inner, "hidden_act", "quick_gelu", place + ", vision_config");

  if (!(vision.mlp_ratio > 0 && vision.mlp_ratio < 1024))
    fail(place, ", vision_config: mlp_ratio is ", vision.mlp_ratio);
  check_divides(vision.num_heads, "num_heads", vision.embed_dim, "vision embed_dim", place);
  if (vision.embed_dim / vision.num_heads % 4 != 0) {
    fail(place, ": the vision head width ", vision.embed_dim / vision.num_heads,
         " is not a multiple of 4, as 2-D rotary needs");
  }
  if (vision.hidden_size != text.hidden_size) {
    fail(place, ": vision_config.hidden_size ", vision.hidden_size, " differs from the decoder's hidden_size ",
         text.hidden_size);
  }
  return vision;
}

}  // namespace

ModelConfig parse_model_config(const Json& json, const std::string& place) {
  if (!json.is_object()) fail(place, ": is ", describe(json), ", expected an object");
  const std::string type = require<std::string>(json, "model_type", place);
  if (type != "qwen2_vl") fail(place, ": model_type is '", type, "', expected 'qwen2_vl'");

  if (const auto quantized = find<Json>(json, "quantization_config", place)) {
    fail(place, ": key 'quantization_config' says that the weights are quantized (",
         quantized->is_object()
             ? find<std::string>(*quantized, "quant_method", place).value_or("by no method that it names")
             : describe(*quantized),
         "), expected float32, bfloat16 or float16 weights");
  }

  ModelConfig config;
  config.text = parse_text(json, place);
  config.vision = parse_vision(json, config.text, place);
  const Json inner = nested(json, "text_config", place);
  const Lookup lookup(inner, json, place);
  lookup.read("bos_token_id", config.bos_token_id);
  lookup.read("eos_token_id", config.eos_token_id);
  lookup.read("vision_start_token_id", config.vision_start_token_id);
  lookup.read("vision_end_token_id", config.vision_end_token_id);
  lookup.read("vision_token_id", config.vision_token_id);
  lookup.read("image_token_id", config.image_token_id);
  lookup.read("video_token_id", config.video_token_id);
  lookup.read("initializer_range", config.initializer_range);
  for (const int64_t id : {config.image_token_id, config.video_token_id}) {
    if (id < 0 || id >= config.text.vocab_size) {
      fail(place, ": image or video token id ", id, " is outside the vocabulary of ", config.text.vocab_size, " rows");
    }
  }
  return config;
}

ModelConfig load_model_config(const std::filesystem::path& directory) {
  const auto path = directory / "config.json";
  return parse_model_config(read_json(path), path.string());
}

double num_parameters(const ModelConfig& config) {
  const auto linear = [](double in, double out, bool with_bias) { return in * out + (with_bias ? out : 0); };
  const auto& text = config.text;
  const auto width = static_cast<double>(text.hidden_size), inner = static_cast<double>(text.intermediate_size);
  const auto key_width = static_cast<double>(text.num_key_value_heads * text.head_dim());
  const double layer = 2 * width + linear(width, width, true) + 2 * linear(width, key_width, true) +
                       linear(width, width, false) + 3 * linear(width, inner, false);
  const double rows = static_cast<double>(text.vocab_size) * (text.tie_word_embeddings ? 1 : 2);

  const auto& vision = config.vision;
  const auto tower = static_cast<double>(vision.embed_dim), merged = static_cast<double>(vision.merged_size());
  const auto mlp = static_cast<double>(vision.mlp_size());
  const double block = 4 * tower + linear(tower, 3 * tower, true) + linear(tower, tower, true) +
                       linear(tower, mlp, true) + linear(mlp, tower, true);
  const double merger = 2 * tower + linear(merged, merged, true) + linear(merged, width, true);
  return static_cast<double>(text.num_hidden_layers) * layer + width + rows * width +
         static_cast<double>(vision.patch_values()) * tower + static_cast<double>(vision.depth) * block + merger;
}

OrderedJson to_json(const ModelConfig& config, const std::string& dtype) {
  // The hub's files say 4, not 4.0.
  const double ratio = config.vision.mlp_ratio;
  const OrderedJson mlp_ratio =
      ratio == std::floor(ratio) ? OrderedJson(static_cast<int64_t>(ratio)) : OrderedJson(ratio);
  const auto& [text, vision, bos, eos, vision_start, vision_end, vision_token, image, video, range] = config;
  return {
      {"architectures", {"Qwen2VLForConditionalGeneration"}},
      {"attention_dropout", 0.0},
      {"bos_token_id", bos},
      {"eos_token_id", eos},
      {"vision_start_token_id", vision_start},
      {"vision_end_token_id", vision_end},
      {"vision_token_id", vision_token},
      {"image_token_id", image},
      {"video_token_id", video},
      {"hidden_act", "silu"},
      {"hidden_size", text.hidden_size},
      {"initializer_range", range},
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
           {"mlp_ratio", mlp_ratio},
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
      {"rope_scaling", {{"type", "mrope"}, {"mrope_section", text.mrope_section}}},
      {"vocab_size", text.vocab_size},
  };
}

}  // namespace vlsi
