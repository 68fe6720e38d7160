#include "checkpoint/adapter_config.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "base/quoted.h"

namespace vlsi {
namespace {

constexpr int64_t kMaxRank = 1 << 16;

/// A regular expression in Python's dialect, as far as the two agree; `place` names file and key.
Regex expression(const std::string& pattern, const std::string& place) {
  return {pattern, concat(place, ": ", quoted(pattern))};
}

/// Of a path up to a layer's number; `list` is what stands for the list of layers.
Regex before_number(const std::string& list, const std::string& place) {
  return expression(list + "\\.(?=[0-9]+\\.)", place + ": key 'layers_pattern'");
}

/// Keys that describe training, bookkeeping or initial values of an adapter whose tensors are all there.
constexpr std::array kIgnored = {"auto_mapping",      "base_model_name_or_path",
                                 "revision",          "task_type",
                                 "inference_mode",    "lora_dropout",
                                 "peft_version",      "megatron_core",
                                 "qalora_group_size", "loftq_config",
                                 "runtime_config",    "eva_config",
                                 "lora_ga_config",    "corda_config"};
/// Keys that parse() reads.
constexpr std::array kRead = {"peft_type",           "r",
                              "lora_alpha",          "use_rslora",
                              "target_modules",      "exclude_modules",
                              "layers_to_transform", "rank_pattern",
                              "alpha_pattern",       "bias",
                              "layers_pattern",      "init_lora_weights"};

bool asks_for_nothing(const Json& value) {
  return value.is_null() || value == false ||
         ((value.is_string() || value.is_array() || value.is_object()) && value.empty()) ||
         (value.is_string() && value.get<std::string>().empty());
}

void refuse_variants(const Json& json, const std::string& place) {
  if (const auto type = require<std::string>(json, "peft_type", place); type != "LORA") {
    fail(place, ": key 'peft_type' is ", quoted(type), ", expected \"LORA\"");
  }
  if (const auto bias = find<std::string>(json, "bias", place).value_or("none"); bias != "none") {
    fail(place, ": key 'bias' is ", quoted(bias), ", expected \"none\": biases that were trained are not read");
  }
  // Other initialisations take away from the base model what they give to the adapter.
  if (const auto initial = find<Json>(json, "init_lora_weights", place);
      initial && !initial->is_boolean() && *initial != "gaussian" && *initial != "orthogonal" && *initial != "eva") {
    fail(place, ": key 'init_lora_weights' is ", initial->dump(),
         ", expected true, false, \"gaussian\", \"orthogonal\" or \"eva\"");
  }
  for (const auto& [key, value] : json.items()) {
    const auto is_key = [&key](const char* known) { return key == known; };
    if (std::any_of(kIgnored.begin(), kIgnored.end(), is_key) || std::any_of(kRead.begin(), kRead.end(), is_key))
      continue;
    if (!asks_for_nothing(value))
      fail(place, ": key ", quoted(key), " is ", value.dump(), ": this kind of adapter is not supported");
  }
}

/// The keys of the object at `key` of the file, in its order; the text was parsed before, and has the object.
std::vector<std::string> keys_in_order(std::string_view text, const char* key) {
  std::vector<std::string> keys;
  const auto json = OrderedJson::parse(text);
  if (!json.contains(key)) return keys;
  for (const auto& entry : json[key].items()) keys.push_back(entry.key());
  return keys;
}

Json object_at(const Json& json, const char* key, const std::string& place) {
  const auto object = find<Json>(json, key, place).value_or(Json::object());
  if (!object.is_object()) fail(place, ": key '", key, "' is ", describe(object), ", expected an object");
  return object;
}

/// The value of the first pattern that the end of the path fits.
template <class T>
T pattern_value(const std::vector<std::pair<Regex, T>>& patterns, const std::string& path, T otherwise) {
  for (const auto& [pattern, value] : patterns) {
    if (pattern.find(path, Regex::Where::kWholeText)) return value;
  }
  return otherwise;
}

/// The number at each pattern of the object at `key` of the file, with an expression for the end of a path; `check`
/// is of a number and what it is of.
template <class T, class Check>
std::vector<std::pair<Regex, T>> read_patterns(const Json& json, std::string_view text, const char* key,
                                               const std::string& place, const Check& check) {
  std::vector<std::pair<Regex, T>> patterns;
  const Json object = object_at(json, key, place);
  for (const auto& pattern : keys_in_order(text, key)) {
    auto end_of_path = expression("(.*\\.)?(" + pattern + ")", concat(place, ": key '", key, "'"));
    patterns.emplace_back(std::move(end_of_path),
                          check(require<T>(object, pattern, place), concat(key, " ", quoted(pattern))));
  }
  return patterns;
}

}  // namespace

ModuleNames::ModuleNames(const Json& json, const std::string& place) {
  if (json.is_string()) {
    expression_ = expression(json.get<std::string>(), place);
    return;
  }
  if (!json.is_array() || !std::all_of(json.begin(), json.end(), [](const Json& name) { return name.is_string(); })) {
    fail(place, ": is ", describe(json), ", expected a list of names or one regular expression");
  }
  names_ = json.get<std::vector<std::string>>();
}

bool ModuleNames::contains(const std::string& path) const {
  if (expression_) return expression_->find(path, Regex::Where::kWholeText).has_value();
  return std::any_of(names_.begin(), names_.end(),
                     [&](const std::string& name) { return path == name || path.ends_with("." + name); });
}

AdapterConfig AdapterConfig::parse(std::string_view text, const std::string& place) {
  const Json json = parse_json(text, place);
  refuse_variants(json, place);
  AdapterConfig config;
  const auto check_rank = [&](int64_t rank, const std::string& key) {
    if (rank < 1 || rank > kMaxRank) fail(place, ": ", key, " is ", rank, ", expected 1 to ", kMaxRank);
    return rank;
  };
  const auto check_alpha = [&](double alpha, const std::string& key) {
    // What an adapter gives is multiplied by alpha and divided by 1 or more, in float32.
    constexpr double kLargest = std::numeric_limits<float>::max();
    if (!(std::abs(alpha) <= kLargest))
      fail(place, ": ", key, " is ", alpha, ", expected at most ", kLargest, " in size");
    return alpha;
  };
  config.rank_ = check_rank(find<int64_t>(json, "r", place).value_or(8), "key 'r'");
  config.alpha_ = check_alpha(find<double>(json, "lora_alpha", place).value_or(8), "key 'lora_alpha'");
  config.divides_by_root_ = find<bool>(json, "use_rslora", place).value_or(false);
  config.targets_ = ModuleNames(require<Json>(json, "target_modules", place), place + ": key 'target_modules'");
  if (const auto excluded = find<Json>(json, "exclude_modules", place)) {
    config.excluded_ = ModuleNames(*excluded, place + ": key 'exclude_modules'");
  }
  if (const auto layers = find<Json>(json, "layers_to_transform", place); layers && *layers != Json::array()) {
    const auto list = layers->is_array() ? *layers : Json::array({*layers});
    const auto numbers =
        require<std::vector<int64_t>>(Json{{"layers_to_transform", list}}, "layers_to_transform", place);
    config.layers_ = std::set<int64_t>(numbers.begin(), numbers.end());
  }
  if (const auto lists = find<Json>(json, "layers_pattern", place); lists && !lists->empty()) {
    const auto list = lists->is_array() ? *lists : Json::array({*lists});
    for (const auto& name :
         require<std::vector<std::string>>(Json{{"layers_pattern", list}}, "layers_pattern", place)) {
      expression(name, place + ": key 'layers_pattern'");  // valid by itself
      config.before_layer_.push_back(before_number("(?:|.*?\\.)" + name, place));
    }
  }
  if (config.before_layer_.empty()) config.before_layer_.push_back(before_number(".*?\\.[^.]*", place));
  config.rank_pattern_ = read_patterns<int64_t>(json, text, "rank_pattern", place, check_rank);
  config.alpha_pattern_ = read_patterns<double>(json, text, "alpha_pattern", place, check_alpha);
  return config;
}

bool AdapterConfig::targets(const std::string& path) const {
  return targets_.contains(path) && !excluded_.contains(path) && is_in_chosen_layer(path);
}

bool AdapterConfig::is_in_chosen_layer(const std::string& path) const {
  if (!layers_) return true;
  for (const auto& before : before_layer_) {
    const auto match = before.find(path, Regex::Where::kAtStart);
    if (match) return layers_->contains(std::stoll(path.substr(match->whole.size())));
  }
  return false;
}

int64_t AdapterConfig::rank(const std::string& path) const { return pattern_value(rank_pattern_, path, rank_); }

double AdapterConfig::scale(const std::string& path) const {
  const auto size = static_cast<double>(rank(path));
  return pattern_value(alpha_pattern_, path, alpha_) / (divides_by_root_ ? std::sqrt(size) : size);
}

}  // namespace vlsi
