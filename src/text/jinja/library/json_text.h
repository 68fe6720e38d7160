// JSON as Python's json.dumps writes it.
#pragma once

#include <optional>
#include <string>

#include "text/jinja/context.h"
#include "text/jinja/template_value.h"

namespace vlsi {

struct JsonTextOptions {
  bool ensure_ascii = false;          // characters outside ASCII are escaped: \u and four digits
  std::optional<std::string> indent;  // of a level; without one, all is one line
  std::string item_separator = ", ", key_separator = ": ";
  bool sort_keys = false;
};

/// Texts keep their origins. Error for what JSON has no form for.
TracedText json_text(JinjaContext& context, const TemplateValue& value, const JsonTextOptions& options);

}  // namespace vlsi
