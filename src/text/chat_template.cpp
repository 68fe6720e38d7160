#include "text/chat_template.h"

#include "base/json.h"
#include "base/mapped_file.h"

namespace vlsi {

struct JinjaTemplate {
  std::string source, place;
};

namespace {

namespace fs = std::filesystem;

/// The template that the key `chat_template` of a JSON file holds.
std::optional<ChatTemplate> load_from_json(const fs::path& path) {
  if (!fs::exists(path)) return std::nullopt;
  const std::string place = path.string(), key = "chat_template";
  const Json json = read_json(path);
  const auto value = find<Json>(json, key, place);
  if (!value) return std::nullopt;
  if (!value->is_array()) return ChatTemplate::parse(require<std::string>(json, key, place), place + ": " + key);
  std::string names;
  for (const Json& entry : *value) {
    const auto name = require<std::string>(entry, "name", place + ": " + key);
    if (name == "default")
      return ChatTemplate::parse(require<std::string>(entry, "template", place + ": " + key), place + ": " + key);
    names += (names.empty() ? "" : ", ") + name;
  }
  fail(place, ": key 'chat_template' has the templates ", names.empty() ? "none" : names,
       ", expected one named default");
}

}  // namespace

ChatTemplate ChatTemplate::parse(std::string source, std::string place) {
  return ChatTemplate(std::make_shared<const JinjaTemplate>(JinjaTemplate{std::move(source), std::move(place)}));
}

std::optional<ChatTemplate> ChatTemplate::load(const fs::path& directory) {
  const fs::path file = directory / "chat_template.jinja";
  if (fs::exists(file)) return parse(std::string(MappedFile::open(file)->text()), file.string());
  if (auto from_processor = load_from_json(directory / "chat_template.json")) return from_processor;
  return load_from_json(directory / "tokenizer_config.json");
}

bool ChatTemplate::has_generation_blocks() const { return parsed_->source.find("endgeneration") != std::string::npos; }

const std::string& ChatTemplate::source() const { return parsed_->source; }

Rendering ChatTemplate::render(const TemplateValue&) const {
  fail("render ", parsed_->place, ": templates are not interpreted");
}

}  // namespace vlsi
