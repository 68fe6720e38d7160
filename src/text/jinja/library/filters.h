// The parts of the filters' table.
#pragma once

#include <vector>

#include "text/jinja/library/call.h"

namespace vlsi {

std::vector<JinjaBuiltin> text_filters();
std::vector<JinjaBuiltin> number_filters();
std::vector<JinjaBuiltin> collection_filters();
/// Those that choose, order and change items one by one.
std::vector<JinjaBuiltin> item_filters();

/// What `attribute=` of a filter names, as a function: "a.b.0" goes down three steps, "" or None takes the value
/// itself. `otherwise` stands for what is not there; null leaves it undefined.
TemplateValue attribute_along(JinjaContext& context, const TemplateValue& value, const TemplateValue* path,
                              const TemplateValue* otherwise = nullptr);

}  // namespace vlsi
