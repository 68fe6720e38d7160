#include "family/family.h"

#include <algorithm>

#include "base/hub_cache.h"
#include "family/llava_onevision/family.h"
#include "family/qwen2_5_vl/family.h"
#include "family/qwen2_vl/family.h"
#include "family/qwen3_vl/family.h"

namespace vlsi {
namespace {

/// Null where no family has this model_type.
const Family* family_of_type(const std::string& type) {
  if (const auto* named = families().find(type)) return named;
  for (const auto& family : families()) {
    if (std::find(family.other_types.begin(), family.other_types.end(), type) != family.other_types.end())
      return &family;
  }
  return nullptr;
}

}  // namespace

Table<Family>& families() {
  static Table<Family> table{qwen2_vl_family(), qwen2_5_vl_family(), qwen3_vl_family(), llava_onevision_family()};
  return table;
}

std::optional<std::string> Family::own_name(std::string_view stored) const {
  for (const auto& names : namings) {
    if (auto own = vlsi::own_name(names, stored)) return own;
  }
  return std::nullopt;
}

const Family& family_of(const ModelConfig& config) {
  const auto* family = families().find(config.family);
  TORCH_CHECK(family != nullptr, "no family ", config.family);
  return *family;
}

ModelConfig parse_model_config(const Json& json, const std::string& place) {
  if (!json.is_object()) fail(place, ": is ", describe(json), ", expected an object");
  const auto type = require<std::string>(json, "model_type", place);
  const auto* family = family_of_type(type);
  if (family == nullptr) {
    fail(place, ": key 'model_type' is '", type, "', expected one of: ", families().names());
  }
  return family->read_config(json, place);
}

ModelConfig load_model_config(const std::filesystem::path& directory) {
  std::error_code ignored;
  if (!directory.empty() && !std::filesystem::exists(directory, ignored))
    fail("there is no model ", directory.string(), hub_advice(directory, HubKind::kModel));
  const auto path = directory / "config.json";
  return parse_model_config(read_json(path), path.string());
}

std::shared_ptr<Vlm> make_vlm(const ModelConfig& config) {
  const auto& family = family_of(config);
  return std::make_shared<Vlm>(config, family.make_tower(config), family.make_projector(config));
}

std::unique_ptr<Processor> load_processor(const std::filesystem::path& directory, SpecialText special_text) {
  const auto config = load_model_config(directory);
  auto processor = family_of(config).make_processor(directory, config, special_text);
  if (const auto num_ids = processor->tokenizer().size(); num_ids > config.text.vocab_size) {
    fail("loading the model in ", directory.string(), ": its tokenizer has ids up to ", num_ids - 1,
         ", its embedding and language head ", config.text.vocab_size, " rows; expected a row for every id");
  }
  return processor;
}

}  // namespace vlsi
