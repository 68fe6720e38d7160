#include "family/family.h"

#include "base/json.h"
#include "family/qwen2_vl/processor.h"

namespace vlsi {

std::unique_ptr<Processor> load_processor(const std::filesystem::path& directory, SpecialText special_text) {
  const auto path = directory / "config.json";
  const auto family = require<std::string>(read_json(path), "model_type", path.string());
  if (family == "qwen2_vl") return std::make_unique<Qwen2VlProcessor>(directory, special_text);
  fail(path.string(), ": key 'model_type' is '", family, "', expected one of: qwen2_vl");
}

}  // namespace vlsi
