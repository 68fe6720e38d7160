// Values of a template that do something: functions, macros, `loop`, namespaces.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "text/jinja/template_value.h"

namespace vlsi {

class JinjaContext;

/// What a function, a method, a filter or a test is given behind its first value.
struct JinjaArguments {
  std::vector<TemplateValue> positional;
  std::vector<std::pair<std::string, TemplateValue>> named;
};

class TemplateObject {
 public:
  virtual ~TemplateObject() = default;

  virtual std::string_view type_name() const = 0;
  /// Empty where it has no such attribute.
  virtual std::optional<TemplateValue> attribute(std::string_view name) const;
  /// Whether it is a function, macro or the like.
  virtual bool is_callable() const { return true; }
  virtual TemplateValue call(JinjaContext& context, JinjaArguments arguments) = 0;
};

}  // namespace vlsi
