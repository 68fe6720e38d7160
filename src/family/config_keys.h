// Reading config.json: keys in a nested object or a flat one, and what is refused.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/json.h"
#include "model/config.h"

namespace vlsi {

/// Rows or columns of a weight, at most: beyond any real model, and the values of one can be counted.
constexpr int64_t kMostRows = int64_t{1} << 24;

/// Looks a key up in a nested object first, then in the flat one.
class ConfigKeys {
 public:
  ConfigKeys(const Json& inner, const Json& outer, std::string place)
      : inner_(inner), outer_(outer), place_(std::move(place)) {}

  const std::string& place() const { return place_; }

  template <class T>
  void read(const std::string& key, T& value) const {
    if (auto found = find<T>(inner_, key, place_)) {
      value = *found;
    } else if (auto outer_found = find<T>(outer_, key, place_)) {
      value = *outer_found;
    }
  }

  void read_size(const std::string& key, int64_t& value, int64_t limit = kMostRows) const {
    read(key, value);
    if (value < 1 || value > limit) fail(place_, ": key '", key, "' is ", value, ", expected 1 to ", limit);
  }

  /// Whether the key says null where it stands first.
  bool is_null(const std::string& key) const {
    const Json& object = inner_.contains(key) ? inner_ : outer_;
    return object.contains(key) && object.at(key).is_null();
  }

  void read_token_ids(const std::string& key, std::vector<int64_t>& ids) const;

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

/// The object at `key`, empty where there is none; Error for anything else there.
Json nested_object(const Json& json, const std::string& key, const std::string& place);

/// Error unless `divisor` divides `value`.
void check_divides(int64_t divisor, const char* divisor_name, int64_t value, const char* name,
                   const std::string& place);

/// Error when `key` is there and asks for another computation than `expected`.
void expect_word(const Json& object, const char* key, const char* expected, const std::string& place);

/// Error for weights that are quantized.
void refuse_quantized(const Json& json, const std::string& place);

/// A decoder of the kind of Qwen2's: from `text_config`, from the top of the file, or from both. `defaults`: what
/// absent keys mean, and what the family's decoder has beside: a head size of its own (0: hidden_size /
/// num_attention_heads), biases, norms; rope_sections are empty for plain rotary positions. Error naming `place` and
/// key for wrong types, sizes that are not positive or do not divide, sizes beyond any real model (2^24 rows, 2^12
/// layers), and what asks for another computation: other activations, attention windows, scaled rotation, other biases.
TextConfig read_decoder_config(const Json& json, const std::string& place, TextConfig defaults = {});

/// The ids at `key`, a number or a list of at least one; nothing where the key is absent or null.
std::optional<std::vector<int64_t>> find_token_ids(const Json& json, const std::string& key, const std::string& place);

/// The other way round: a single id as a number.
OrderedJson token_ids_json(const std::vector<int64_t>& ids);

/// What `Own`'s family keeps of `config`; std::bad_cast for a configuration of another family.
template <class Own>
const Own& own_config(const ModelConfig& config) {
  return dynamic_cast<const Own&>(*config.own);
}

/// The token ids and the initial deviation that every family has.
void read_general_keys(const ConfigKeys& keys, ModelConfig& config);

/// What every layout calls a decoder's sizes alike: the keys from hidden_act to vocab_size, without rotation and ties.
OrderedJson decoder_sizes_json(const TextConfig& text);
/// What the files of families with Qwen2's decoder say of it: its sizes, token ids, ties and number type, and that no
/// layer attends to a window.
OrderedJson qwen2_decoder_json(const ModelConfig& config, const std::string& dtype);
/// As files have it: 4, not 4.0.
OrderedJson number_json(double value);

}  // namespace vlsi
