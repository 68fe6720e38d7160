#include "family/config_keys.h"

#include <cmath>

#include "base/quoted.h"

namespace vlsi {

Json nested_object(const Json& json, const std::string& key, const std::string& place) {
  Json object = find<Json>(json, key, place).value_or(Json::object());
  if (!object.is_object()) fail(place, ": key '", key, "' is ", describe(object), ", expected an object");
  return object;
}

void check_divides(int64_t divisor, const char* divisor_name, int64_t value, const char* name,
                   const std::string& place) {
  if (value % divisor != 0) fail(place, ": ", name, " ", value, " is not a multiple of ", divisor_name, " ", divisor);
}

void expect_word(const Json& object, const char* key, const char* expected, const std::string& place) {
  const auto found = find<std::string>(object, key, place).value_or(expected);
  if (found != expected)
    fail(place, ": key '", key, "' is ", quoted(found), ", which is not supported; expected ", quoted(expected));
}

void refuse_quantized(const Json& json, const std::string& place) {
  if (const auto quantized = find<Json>(json, "quantization_config", place)) {
    fail(place, ": key 'quantization_config' says that the weights are quantized (",
         quantized->is_object()
             ? find<std::string>(*quantized, "quant_method", place).value_or("by no method that it names")
             : describe(*quantized),
         "), expected float32, bfloat16 or float16 weights");
  }
}

namespace {

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
void refuse_windows(const ConfigKeys& lookup, int64_t num_layers, const std::string& place) {
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

void read_rotation(const ConfigKeys& lookup, TextConfig& text, const std::string& place) {
  const Json scaling = lookup.object("rope_scaling"), parameters = lookup.object("rope_parameters");
  refuse_other_rotation(scaling, "rope_scaling", place);
  refuse_other_rotation(parameters, "rope_parameters", place);
  const Json& rope = scaling.empty() ? parameters : scaling;  // of two, transformers reads the older one
  if (auto theta = find<double>(rope, "rope_theta", place)) text.rope_theta = *theta;
  if (text.rope_sections.empty()) return;
  if (auto section = find<std::vector<int64_t>>(rope, "mrope_section", place)) {
    if (section->size() != 3) fail(place, ": mrope_section has ", section->size(), " entries, expected 3");
    text.rope_sections = *section;
  }
}

/// The frequencies of each axis, which share a head's.
void check_sections(const TextConfig& text, const std::string& place) {
  const auto& section = text.rope_sections;
  int64_t sum = 0;
  for (const int64_t part : section) {
    if (part < 0 || part > text.head_dim())
      fail(place, ": mrope_section has the entry ", part, ", expected 0 to head_dim / 2");
    sum += part;
  }
  if (2 * sum != text.head_dim()) {
    fail(place, ": mrope_section sums to ", sum, ", expected half of head_dim ", text.head_dim());
  }
  if (!text.rope_is_interleaved) return;
  for (size_t axis = 1; axis < section.size(); ++axis) {
    if (static_cast<int64_t>(axis) + std::ssize(section) * (section[axis] - 1) >= sum) {
      fail(place, ": mrope_section has ", section[axis], " frequencies for axis ", axis,
           ", which taking turns go beyond half of head_dim ", text.head_dim());
    }
  }
}

void read_heads(const ConfigKeys& lookup, TextConfig& text, const std::string& place) {
  lookup.read_size("num_attention_heads", text.num_attention_heads);
  if (lookup.is_null("num_key_value_heads")) text.num_key_value_heads = text.num_attention_heads;
  lookup.read_size("num_key_value_heads", text.num_key_value_heads);
  if (text.head_size > 0) {
    lookup.read_size("head_dim", text.head_size);
    if (text.head_size % 2 != 0) fail(place, ": key 'head_dim' is ", text.head_size, ", expected an even number");
  } else {
    check_divides(text.num_attention_heads, "num_attention_heads", text.hidden_size, "hidden_size", place);
    int64_t head_dim = text.head_dim();
    lookup.read("head_dim", head_dim);
    if (head_dim != text.head_dim()) {
      fail(place, ": key 'head_dim' is ", head_dim, ", expected hidden_size / num_attention_heads, which is ",
           text.head_dim());
    }
  }
  if (text.num_attention_heads > kMostRows / text.head_dim()) {
    fail(place, ": num_attention_heads ", text.num_attention_heads, " times head_dim ", text.head_dim(),
         " is beyond any model, expected at most ", kMostRows);
  }
  check_divides(text.num_key_value_heads, "num_key_value_heads", text.num_attention_heads, "num_attention_heads",
                place);
  bool has_bias = false;
  lookup.read("attention_bias", has_bias);
  if (has_bias && !text.has_qkv_bias) fail(place, ": key 'attention_bias' is true, which is not supported");
}

}  // namespace

TextConfig read_decoder_config(const Json& json, const std::string& place, TextConfig text) {
  const Json inner = nested_object(json, "text_config", place);
  const ConfigKeys lookup(inner, json, place);
  lookup.read_size("vocab_size", text.vocab_size);
  lookup.read_size("hidden_size", text.hidden_size);
  lookup.read_size("intermediate_size", text.intermediate_size);
  lookup.read_size("num_hidden_layers", text.num_hidden_layers, 4096);
  lookup.read_size("max_position_embeddings", text.max_position_embeddings, int64_t{1} << 32);
  read_heads(lookup, text, place);
  lookup.read("rms_norm_eps", text.rms_norm_eps);
  lookup.read("rope_theta", text.rope_theta);
  // A resaved flat file may say it in text_config alone, an older one at the top alone.
  for (const Json* object : {&inner, &json}) {
    text.tie_word_embeddings |= vlsi::find<bool>(*object, "tie_word_embeddings", place).value_or(false);
  }
  read_rotation(lookup, text, place);
  if (text.rope_sections.empty()) {
    check_divides(2, "two", text.head_dim(), "head_dim", place);
    text.rope_sections = {text.head_dim() / 2};
  }
  check_sections(text, place);

  expect_word(inner.contains("hidden_act") ? inner : json, "hidden_act", "silu", place);
  refuse_windows(lookup, text.num_hidden_layers, place);

  if (!(text.rms_norm_eps > 0) || !(text.rope_theta > 0)) fail(place, ": rms_norm_eps and rope_theta must be positive");
  return text;
}

std::optional<std::vector<int64_t>> find_token_ids(const Json& json, const std::string& key, const std::string& place) {
  const auto value = find<Json>(json, key, place);
  if (!value) return std::nullopt;
  if (!value->is_array()) return std::vector{require<int64_t>(json, key, place)};
  auto ids = require<std::vector<int64_t>>(json, key, place);
  if (ids.empty()) fail(place, ": key '", key, "' is an empty list, expected at least one token");
  return ids;
}

OrderedJson token_ids_json(const std::vector<int64_t>& ids) {
  return ids.size() == 1 ? OrderedJson(ids.front()) : OrderedJson(ids);
}

void ConfigKeys::read_token_ids(const std::string& key, std::vector<int64_t>& ids) const {
  for (const Json* object : {&outer_, &inner_}) {
    if (const auto found = find_token_ids(*object, key, place_)) ids = *found;
  }
}

void read_general_keys(const ConfigKeys& keys, ModelConfig& config) {
  keys.read("bos_token_id", config.bos_token_id);
  keys.read_token_ids("eos_token_id", config.eos_token_ids);
  keys.read("image_token_id", config.image_token_id);
  keys.read("initializer_range", config.initializer_range);
}

OrderedJson decoder_sizes_json(const TextConfig& text) {
  return {{"hidden_act", "silu"},
          {"hidden_size", text.hidden_size},
          {"intermediate_size", text.intermediate_size},
          {"max_position_embeddings", text.max_position_embeddings},
          {"num_attention_heads", text.num_attention_heads},
          {"num_hidden_layers", text.num_hidden_layers},
          {"num_key_value_heads", text.num_key_value_heads},
          {"rms_norm_eps", text.rms_norm_eps},
          {"rope_theta", text.rope_theta},
          {"vocab_size", text.vocab_size}};
}

OrderedJson qwen2_decoder_json(const ModelConfig& config, const std::string& dtype) {
  auto json = decoder_sizes_json(config.text);
  json.update(OrderedJson{{"attention_dropout", 0.0},
                          {"bos_token_id", config.bos_token_id},
                          {"eos_token_id", token_ids_json(config.eos_token_ids)},
                          {"initializer_range", config.initializer_range},
                          {"max_window_layers", config.text.num_hidden_layers},
                          {"sliding_window", config.text.max_position_embeddings},
                          {"tie_word_embeddings", config.text.tie_word_embeddings},
                          {"torch_dtype", dtype},
                          {"use_cache", true},
                          {"use_sliding_window", false}});
  return json;
}

OrderedJson number_json(double value) {
  return value == std::floor(value) ? OrderedJson(static_cast<int64_t>(value)) : OrderedJson(value);
}

}  // namespace vlsi
