// Calls of the functions that every template has: filters, tests, methods and global functions.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "base/table.h"
#include "text/jinja/context.h"
#include "text/jinja/template_object.h"
#include "text/jinja/template_value.h"

namespace vlsi {

/// A call, its arguments sorted by the function's parameters.
struct JinjaCall {
  JinjaContext& context;
  std::string_view name;
  std::string_view parameters;
  TemplateValue self;                                // what a filter or test is applied to, or whose method it is
  std::vector<std::optional<TemplateValue>> values;  // of the parameters, empty where it is not given
  JinjaArguments rest;                               // for which there is no parameter, where any are taken

  /// The value of parameter `index`; null where it is not given.
  const TemplateValue* find(size_t index) const { return values[index] ? &*values[index] : nullptr; }
  /// Error where it is not given.
  const TemplateValue& value(size_t index) const;
  /// Error where it is no text.
  const TracedText& text(size_t index) const;
  /// `otherwise` where it is not given or None; Error where it is no integer.
  int64_t integer(size_t index, int64_t otherwise) const;
  bool flag(size_t index, bool otherwise) const;
};

struct JinjaBuiltin {
  std::string_view name;
  /// Names behind one another, with spaces between; "*" at the end takes any others.
  std::string_view parameters;
  TemplateValue (*apply)(JinjaCall& call);
};

const Table<JinjaBuiltin>& jinja_filters();
const Table<JinjaBuiltin>& jinja_tests();
/// Global functions; they have no `self`.
const Table<JinjaBuiltin>& jinja_functions();
/// Of Python's str, list and dict.
const Table<JinjaBuiltin>& jinja_text_methods();
const Table<JinjaBuiltin>& jinja_list_methods();
const Table<JinjaBuiltin>& jinja_dict_methods();

/// Error for arguments that do not fit the function's parameters.
TemplateValue apply_builtin(JinjaContext& context, const JinjaBuiltin& builtin, const TemplateValue& self,
                            JinjaArguments arguments);

/// The function as a value, `self` bound to it.
TemplateValue bound_builtin(const JinjaBuiltin& builtin, const TemplateValue& self);

}  // namespace vlsi
