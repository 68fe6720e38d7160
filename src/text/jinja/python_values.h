// Values as Python's built-in functions see them: bool(), str(), repr(), iter(), len().
#pragma once

#include <string>
#include <vector>

#include "text/jinja/context.h"
#include "text/jinja/template_value.h"

namespace vlsi {

bool is_true(const TemplateValue& value);

/// What `{{ value }}` prints. A text keeps its origins, those in lists and dicts, too.
TracedText printed(JinjaContext& context, const TemplateValue& value);
/// As in a printed list: texts in quotes, with escapes.
TracedText represented(JinjaContext& context, const TemplateValue& value);
/// A float as Python prints it: "1.0", "1e+16", "nan".
std::string python_float(double value);

/// What a loop over the value goes through: items, keys of a dict, characters of a text, nothing of an undefined value.
/// Error for what cannot be gone through. What an iterator holds is gone through once.
std::vector<TemplateValue> items_of(JinjaContext& context, const TemplateValue& value);
/// Error for what has no length.
int64_t length_of(JinjaContext& context, const TemplateValue& value);

}  // namespace vlsi
