// Attributes, items and slices of values.
#pragma once

#include <optional>
#include <string_view>

#include "text/jinja/context.h"
#include "text/jinja/template_value.h"

namespace vlsi {

/// `object.name`: a method, else what a dict has at this key; undefined where there is neither. Error for an undefined
/// object.
TemplateValue attribute_of(JinjaContext& context, const TemplateValue& object, std::string_view name);

/// `object[key]`: an item, else a method; undefined where there is neither. Error for an undefined object.
TemplateValue item_of(JinjaContext& context, const TemplateValue& object, const TemplateValue& key);

/// `object[start:stop:step]`; each of them an integer, or None.
TemplateValue slice_of(JinjaContext& context, const TemplateValue& object, const TemplateValue& start,
                       const TemplateValue& stop, const TemplateValue& step);

}  // namespace vlsi
