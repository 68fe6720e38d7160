// Values of a template that do something or change: functions, macros, `loop`, namespaces.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "text/jinja/template_value.h"

namespace vlsi {

class JinjaContext;

/// What a function, a method, a filter or a test is given.
struct JinjaArguments {
  std::vector<TemplateValue> positional;
  std::vector<std::pair<std::string, TemplateValue>> named;
};

class TemplateObject {
 public:
  virtual ~TemplateObject() = default;

  virtual std::string_view type_name() const = 0;
  /// Empty where it has no such attribute.
  virtual std::optional<TemplateValue> attribute(std::string_view name);
  virtual bool is_callable() const { return false; }
  /// Error where it is none to call.
  virtual TemplateValue call(JinjaContext& context, JinjaArguments arguments);
  /// As TemplateValue has it, of what it holds for good. 0 for objects that hold one another (release).
  virtual size_t nesting() const { return 0; }
  /// Drops what it holds, at the end of a rendering, for objects that hold one another.
  virtual void release() {}
};

class FunctionObject : public TemplateObject {
 public:
  using Function = std::function<TemplateValue(JinjaContext&, JinjaArguments)>;

  /// `nesting`: 1 more than that of the deepest value that `function` holds.
  static TemplateValue make(Function function, size_t nesting = 0);
  FunctionObject(Function function, size_t nesting) : function_(std::move(function)), nesting_(nesting) {}

  std::string_view type_name() const override { return "function"; }
  bool is_callable() const override { return true; }
  TemplateValue call(JinjaContext& context, JinjaArguments arguments) override {
    return function_(context, std::move(arguments));
  }
  size_t nesting() const override { return nesting_; }

 private:
  Function function_;
  size_t nesting_;
};

/// namespace(...): the one thing whose attributes a template may set.
class NamespaceObject : public TemplateObject {
 public:
  std::string_view type_name() const override { return "Namespace"; }
  std::optional<TemplateValue> attribute(std::string_view name) override;
  void release() override { values_ = {}; }
  /// Error for a name that begins with an underscore.
  void set(JinjaContext& context, const std::string& name, TemplateValue value);

 private:
  TemplateDict values_;
};

}  // namespace vlsi
