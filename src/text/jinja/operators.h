// Arithmetic and comparisons as Python does them.
#pragma once

#include <string_view>

#include "base/table.h"
#include "text/jinja/context.h"
#include "text/jinja/template_value.h"

namespace vlsi {

struct JinjaOperator {
  std::string_view name;  // as it is written: "+", "not in"
  TemplateValue (*apply)(JinjaContext& context, const TemplateValue& left, const TemplateValue& right);
};

/// Operators of two values, but for `and`, `or` and `~`. What Python raises for is an Error.
const Table<JinjaOperator>& jinja_operators();

/// Python's `==`.
bool are_equal(JinjaContext& context, const TemplateValue& left, const TemplateValue& right);
/// Python's `<`; Error for values that have no order.
bool is_less(JinjaContext& context, const TemplateValue& left, const TemplateValue& right);
/// Python's `in`.
bool contains(JinjaContext& context, const TemplateValue& collection, const TemplateValue& item);

}  // namespace vlsi
