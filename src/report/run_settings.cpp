#include "report/run_settings.h"

#include <algorithm>
#include <map>
#include <optional>

#include "base/settings.h"

namespace vlsi {
namespace {

/// Every key of nested maps with its value as one line of YAML: {"interact.iterations", "400"}, in the file's order.
using FlatSettings = std::vector<std::pair<std::string, std::string>>;

std::string one_line(const YAML::Node& node) {
  if (node.IsNull()) return "";
  if (node.IsScalar()) return node.Scalar();
  YAML::Emitter emitter;
  emitter.SetSeqFormat(YAML::Flow);
  emitter.SetMapFormat(YAML::Flow);
  emitter << node;
  return emitter.c_str();
}

void flatten(const YAML::Node& node, const std::string& prefix, FlatSettings& flat) {
  if (!node.IsMap()) {
    flat.emplace_back(prefix, one_line(node));
    return;
  }
  for (const auto& item : node) {
    const std::string key = one_line(item.first);
    flatten(item.second, prefix.empty() ? key : prefix + "." + key, flat);
  }
}

/// The key whose value this one has unless it is set: a step's `optimizer` and `data` follow the general ones.
std::optional<std::string> general_key(const std::string& key) {
  for (const auto& step : step_table()) {
    const auto section = concat(step.key, '.'), own_data = concat(section, step.data_key, '.');
    if (step.has_own_data() && key.starts_with(own_data)) return section + "data." + key.substr(own_data.size());
    for (const char* part : {"optimizer.", "data."}) {
      if (key.starts_with(section + part)) return key.substr(section.size());
    }
  }
  return std::nullopt;
}

class Flat {
 public:
  explicit Flat(const YAML::Node& root) {
    flatten(root, "", settings_);
    for (const auto& [key, value] : settings_) by_key_[key] = value;
  }
  const FlatSettings& settings() const { return settings_; }
  std::optional<std::string> find(const std::string& key) const {
    const auto found = by_key_.find(key);
    return found == by_key_.end() ? std::nullopt : std::optional(found->second);
  }
  std::string text(const std::string& key) const { return find(key).value_or(""); }

 private:
  FlatSettings settings_;
  std::map<std::string, std::string> by_key_;
};

/// Reads the fields that are there and can be read; the others stay as they are.
class LenientReader {
 public:
  explicit LenientReader(const YAML::Node& node) : node_(node) {}

  template <class T>
  void operator()(const char* key, T& value, const std::string&) {
    const YAML::Node found = node_.IsMap() ? node_[key] : YAML::Node();
    if (!found || found.IsNull()) return;
    if constexpr (settings_detail::Struct<T>) {
      LenientReader inner(found);
      fields(inner, value);
    } else {
      try {
        T read{};
        SettingsReader(YAML::Node(), "").read(found, key, read);
        value = std::move(read);
      } catch (const Error&) {
      }
    }
  }

 private:
  const YAML::Node node_;
};

std::string method_of(const RunConfig& config, const Flat& settings) {
  const bool is_finetuned = config.finetune.iterations > 0;
  if (config.interact.iterations > 0) {
    const auto intermediate = settings.text("interact.intermediate_loss"), last = settings.text("interact.last_loss");
    std::string method = intermediate == "none" ? "last-layer distillation" : "VLsI";
    if (intermediate != "none" && intermediate != "kl") method += " with " + intermediate + " between layers";
    if (last != "kl") method += last == "none" ? " without the last layer" : " with " + last + " at the last layer";
    if (!config.interact.head) method += " without the language head";
    return is_finetuned ? method : method + " without step 3";
  }
  if (is_finetuned) return "fine-tuning";
  return config.verbalize.iterations > 0 ? "verbalization" : "";
}

std::vector<SettingDifference> differences_of(const Flat& settings) {
  const Flat defaults(parse_yaml(write_settings(RunConfig{}), "defaults"));
  std::vector<SettingDifference> differences;
  for (const auto& [key, value] : settings.settings()) {
    const auto general = general_key(key);
    const auto expected = general ? settings.find(*general) : defaults.find(key);
    if (expected && *expected == value) continue;
    differences.push_back({key, value, defaults.text(key)});
  }
  return differences;
}

}  // namespace

RunSettings read_run_settings(const std::filesystem::path& path) {
  const YAML::Node root = load_yaml(path, {});
  const Flat flat(root);
  RunSettings settings;
  auto& config = settings.config;
  config.verbalize.iterations = config.interact.iterations = config.finetune.iterations = 0;
  LenientReader reader(root);
  fields(reader, config);
  settings.method = method_of(config, flat);
  settings.seed = flat.text("seed");
  settings.dtype = flat.text("dtype");
  for (const auto step : planned_steps(config, steps_by_choice())) {
    const auto of_step = settings_of(config, step);
    settings.planned.emplace_back(step, of_step.epochs > 0 ? 0 : of_step.iterations);
    settings.data = of_step.data;
  }
  settings.differences = differences_of(flat);
  return settings;
}

}  // namespace vlsi
