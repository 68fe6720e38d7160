// Values as text of a given width, precision and base: what is common to `%` and str.format.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "text/jinja/context.h"
#include "text/jinja/template_value.h"

namespace vlsi {

struct FormatSpec {
  std::string fill = " ";  // one character
  char align = '\0';       // '<', '>', '^', '=' or none
  char sign = '-';         // '-', '+' or ' '
  bool alternate = false;  // 0x, 0b, 0o in front
  bool commas = false;     // between thousands
  int64_t width = 0;
  std::optional<int64_t> precision;
  char type = '\0';  // s d b o x X e E f F g G % or none
};

/// Error for a type that does not go with the value.
TracedText format_value(JinjaContext& context, const TemplateValue& value, const FormatSpec& spec);

}  // namespace vlsi
