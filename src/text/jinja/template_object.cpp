#include "text/jinja/template_object.h"

#include "text/jinja/context.h"

namespace vlsi {

std::optional<TemplateValue> TemplateObject::attribute(std::string_view) { return std::nullopt; }

TemplateValue TemplateObject::call(JinjaContext& context, JinjaArguments) {
  context.fail("a ", type_name(), " is no function");
}

TemplateValue FunctionObject::make(Function function, size_t nesting) {
  return TemplateValue::object(std::make_shared<FunctionObject>(std::move(function), nesting));
}

std::optional<TemplateValue> NamespaceObject::attribute(std::string_view name) {
  const TemplateValue* value = values_.find(name);
  if (value == nullptr) return std::nullopt;
  return *value;
}

void NamespaceObject::set(JinjaContext& context, const std::string& name, TemplateValue value) {
  if (name.starts_with('_'))
    context.fail("a namespace may not have the attribute '", name, "', which begins with an underscore");
  values_.set(name, std::move(value));
}

}  // namespace vlsi
