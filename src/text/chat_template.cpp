#include "text/chat_template.h"

#include <c10/util/Exception.h>

#include "base/json.h"
#include "base/mapped_file.h"
#include "text/jinja/ast.h"
#include "text/jinja/interpreter.h"
#include "text/jinja/parser.h"

namespace vlsi {

namespace {

namespace fs = std::filesystem;

/// The template that the key `chat_template` of a JSON file holds.
std::optional<ChatTemplate> load_from_json(const fs::path& path) {
  if (!fs::exists(path)) return std::nullopt;
  const std::string key = "chat_template", place = concat(path.string(), ": ", key);
  const Json json = read_json(path);
  const auto value = find<Json>(json, key, path.string());
  if (!value) return std::nullopt;
  if (!value->is_array()) return ChatTemplate::parse(require<std::string>(json, key, path.string()), place);
  std::string names;
  for (const Json& entry : *value) {
    const auto name = require<std::string>(entry, "name", place);
    if (name == "default") return ChatTemplate::parse(require<std::string>(entry, "template", place), place);
    names += (names.empty() ? "the template " : ", ") + name;
  }
  fail(place, " has ", names.empty() ? "no templates" : names, ", expected one named default");
}

}  // namespace

ChatTemplate ChatTemplate::parse(std::string source, std::string place) {
  return ChatTemplate(std::make_shared<const JinjaTemplate>(parse_jinja(std::move(source), std::move(place))));
}

std::optional<ChatTemplate> ChatTemplate::load(const fs::path& directory) {
  const fs::path file = directory / "chat_template.jinja";
  if (fs::exists(file)) return parse(std::string(MappedFile::open(file)->text()), file.string());
  if (auto from_processor = load_from_json(directory / "chat_template.json")) return from_processor;
  return load_from_json(directory / "tokenizer_config.json");
}

bool ChatTemplate::has_generation_blocks() const { return parsed_->has_generation; }

const std::string& ChatTemplate::source() const { return parsed_->source; }

Rendering ChatTemplate::render(const TemplateValue& variables) const {
  TORCH_CHECK(variables.as_dict() != nullptr, "the variables of a template are a dict");
  const TracedText text = run_jinja(*parsed_, variables);
  Rendering rendering{text.bytes(), {}, {}};
  for (const auto& run : text.runs()) {
    const size_t begin = rendering.origins.size();
    rendering.origins.resize(run.end, run.origin);
    if (!run.generated) continue;
    auto& spans = rendering.generated;
    if (spans.empty() || spans.back().second != begin) spans.emplace_back(begin, begin);
    spans.back().second = run.end;
  }
  return rendering;
}

}  // namespace vlsi
