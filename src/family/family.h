// The model families: everything that a family is, and its place in the one table. No other file knows a family's name.
#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "base/table.h"
#include "data/processor.h"
#include "family/weight_names.h"
#include "model/vision.h"
#include "model/vlm.h"

namespace vlsi {

struct GgufParts;

struct Family {
  std::string_view name;           // the model_type of config.json: "qwen2_vl"
  std::string_view display_name;   // "Qwen2-VL"
  std::string_view picture_token;  // its tokenizer's text for a picture's rows
  /// A config.json object of this family in any of its layouts; Error naming `place` and key.
  ModelConfig (*read_config)(const Json& json, const std::string& place);
  /// In the layout of the family's hub directories. `dtype`: "float32", "bfloat16".
  OrderedJson (*write_config)(const ModelConfig& config, const std::string& dtype);
  std::vector<WeightNames> namings;  // of files, all of which are read; the first is written
  std::shared_ptr<VisionTower> (*make_tower)(const ModelConfig& config);
  std::shared_ptr<Projector> (*make_projector)(const ModelConfig& config);
  /// Of a Hugging Face directory whose config.json is `model`; Error when the two do not go together.
  std::unique_ptr<Processor> (*make_processor)(const std::filesystem::path& directory, const ModelConfig& model,
                                               SpecialText special_text);
  std::vector<std::string_view> other_types = {};  // further model_types of config.json that are read as this family's
  /// Keys and names of llama.cpp's files; null where it has no such family.
  GgufParts (*gguf_parts)(const ModelConfig& config, const std::filesystem::path& directory,
                          const std::string& place) = nullptr;

  /// What a stored tensor, or module, is called here, by the first naming that has it: an empty name for one that is
  /// not needed, nothing for another family's.
  std::optional<std::string> own_name(std::string_view stored) const;
  /// What the files that are written call it.
  std::string written_name(std::string_view own) const { return stored_name(namings.front(), own); }
};

Table<Family>& families();
const Family& family_of(const ModelConfig& config);

/// A config.json object. Error naming `place` for a model_type that is no family's, and the family's own errors.
ModelConfig parse_model_config(const Json& json, const std::string& place);
/// parse_model_config of `directory`/config.json. Error for a directory that is not there, with the command that gets
/// it where it could be a name of the hub.
ModelConfig load_model_config(const std::filesystem::path& directory);

/// A model without values.
std::shared_ptr<Vlm> make_vlm(const ModelConfig& config);

/// The processor of a Hugging Face directory. `special_text`: what special-token text inside a data file's turn
/// becomes; a literal image placeholder without a picture is an Error. Error unless it gives what the model reads: ids
/// that all have a row in its embedding, and patches and picture tokens as its config.json has them.
std::unique_ptr<Processor> load_processor(const std::filesystem::path& directory,
                                          SpecialText special_text = SpecialText::kControl);

}  // namespace vlsi
