#include "report/run_settings.h"

#include <algorithm>
#include <map>
#include <optional>

#include "base/settings.h"
#include "run/config.h"

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
  const std::string student_data = "verbalize.student_data.";
  if (key.starts_with(student_data)) return "verbalize.data." + key.substr(student_data.size());
  for (const char* step : {"verbalize.", "interact.", "finetune."}) {
    for (const char* part : {"optimizer.", "data."}) {
      if (key.starts_with(std::string(step) + part)) return key.substr(std::string(step).size());
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
  int64_t number(const std::string& key) const { return std::strtoll(text(key).c_str(), nullptr, 10); }

 private:
  FlatSettings settings_;
  std::map<std::string, std::string> by_key_;
};

std::string method_of(const Flat& settings) {
  const int64_t verbalize = settings.number("verbalize.iterations"), interact = settings.number("interact.iterations"),
                finetune = settings.number("finetune.iterations");
  if (interact > 0) {
    const auto intermediate = settings.text("interact.intermediate_loss"), last = settings.text("interact.last_loss");
    std::string method = intermediate == "none" ? "last-layer distillation" : "VLsI";
    if (intermediate != "none" && intermediate != "kl") method += " with " + intermediate + " between layers";
    if (last != "kl") method += last == "none" ? " without the last layer" : " with " + last + " at the last layer";
    if (settings.text("interact.head") == "false") method += " without the language head";
    return finetune > 0 ? method : method + " without step 3";
  }
  if (finetune > 0) return "fine-tuning";
  return verbalize > 0 ? "verbalization" : "";
}

YAML::Node child(const YAML::Node& node, const char* key) {
  return node.IsMap() && std::as_const(node)[key] ? std::as_const(node)[key] : YAML::Node();
}

std::vector<int64_t> layers_of(const YAML::Node& list) {
  std::vector<int64_t> layers;
  if (!list.IsSequence()) return layers;
  for (const auto& item : list) {
    const int64_t layer = item.IsScalar() ? std::strtoll(item.Scalar().c_str(), nullptr, 10) : 0;
    if (layer > 0) layers.push_back(layer);
  }
  return layers;
}

std::vector<DataPlace> places_of(const YAML::Node& list) {
  std::vector<DataPlace> places;
  if (!list.IsSequence()) return places;
  for (const auto& item : list) {
    const auto path = one_line(child(item, "path"));
    if (!path.empty()) places.push_back({path, one_line(child(item, "images"))});
  }
  return places;
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
  settings.method = method_of(flat);
  settings.seed = flat.text("seed");
  settings.dtype = flat.text("dtype");
  const auto student = child(root, "student"), teacher = child(root, "teacher");
  settings.student = one_line(child(student, "model"));
  settings.teacher = one_line(child(teacher, "model"));
  settings.student_verbalizers = one_line(child(student, "verbalizers"));
  settings.teacher_verbalizers = one_line(child(teacher, "verbalizers"));
  settings.student_layers = layers_of(child(student, "layers"));
  settings.teacher_layers = layers_of(child(teacher, "layers"));
  for (const auto& [step, key] :
       {std::pair("verbalize-student", "verbalize"), std::pair("verbalize-teacher", "verbalize"),
        std::pair("interact", "interact"), std::pair("finetune", "finetune")}) {
    const int64_t iterations = flat.number(std::string(key) + ".iterations");
    if (iterations <= 0) continue;
    const bool by_epochs = std::strtod(flat.text(std::string(key) + ".epochs").c_str(), nullptr) > 0;
    settings.planned.emplace_back(step, by_epochs ? 0 : iterations);
    const auto data = child(child(root, key), "data");
    settings.train = places_of(child(data, "train"));
    settings.validation = places_of(child(data, "validation"));
  }
  settings.differences = differences_of(flat);
  return settings;
}

}  // namespace vlsi
