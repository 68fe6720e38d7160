#include "family/config_keys.h"

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
  for (const char* key : {"rope_scaling", "rope_parameters"}) {
    const Json rope = lookup.object(key);
    refuse_other_rotation(rope, key, place);
    if (auto theta = find<double>(rope, "rope_theta", place)) text.rope_theta = *theta;
    const auto section = find<std::vector<int64_t>>(rope, "mrope_section", place);
    if (section && !text.rope_sections.empty()) {
      if (section->size() != 3) fail(place, ": mrope_section has ", section->size(), " entries, expected 3");
      text.rope_sections = *section;
    }
  }
}

/// Sizes of heads, and the frequencies of each axis, which share a head's.
void check_heads(const ConfigKeys& lookup, const TextConfig& text, const std::string& place) {
  check_divides(text.num_attention_heads, "num_attention_heads", text.hidden_size, "hidden_size", place);
  int64_t head_dim = text.head_dim();
  lookup.read("head_dim", head_dim);
  if (head_dim != text.head_dim()) {
    fail(place, ": key 'head_dim' is ", head_dim, ", expected hidden_size / num_attention_heads, which is ",
         text.head_dim());
  }
  check_divides(text.num_key_value_heads, "num_key_value_heads", text.num_attention_heads, "num_attention_heads",
                place);
  const auto& section = text.rope_sections;
  if (section.empty()) {
    check_divides(2, "two", text.head_dim(), "head_dim", place);
    return;
  }
  for (const int64_t part : section) {
    if (part < 0 || part > text.head_dim())
      fail(place, ": mrope_section has the entry ", part, ", expected 0 to head_dim / 2");
  }
  if (2 * (section[0] + section[1] + section[2]) != text.head_dim()) {
    fail(place, ": mrope_section sums to ", section[0] + section[1] + section[2], ", expected half of head_dim ",
         text.head_dim());
  }
}

}  // namespace

TextConfig read_decoder_config(const Json& json, const std::string& place, TextConfig defaults) {
  const Json inner = nested_object(json, "text_config", place);
  const ConfigKeys lookup(inner, json, place);
  TextConfig text = std::move(defaults);
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
  read_rotation(lookup, text, place);

  expect_word(inner.contains("hidden_act") ? inner : json, "hidden_act", "silu", place);
  refuse_windows(lookup, text.num_hidden_layers, place);

  check_heads(lookup, text, place);
  if (text.rope_sections.empty()) text.rope_sections = {text.head_dim() / 2};
  if (!(text.rms_norm_eps > 0) || !(text.rope_theta > 0)) fail(place, ": rms_norm_eps and rope_theta must be positive");
  return text;
}

void read_general_keys(const ConfigKeys& keys, ModelConfig& config) {
  keys.read("bos_token_id", config.bos_token_id);
  keys.read("eos_token_id", config.eos_token_id);
  keys.read("image_token_id", config.image_token_id);
  keys.read("initializer_range", config.initializer_range);
}

}  // namespace vlsi
