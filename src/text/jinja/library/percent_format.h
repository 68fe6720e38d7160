// Python's `text % values`.
#pragma once

#include "text/jinja/context.h"
#include "text/jinja/template_value.h"

namespace vlsi {

/// `values` is a tuple, or the one value, or a dict for %(name)s. Conversions s, r, d, i, x, X, o, e, f, g and %, with
/// flags, width and precision; another one is an Error, as are too few or too many values.
TracedText percent_format(JinjaContext& context, const TracedText& format, const TemplateValue& values);

}  // namespace vlsi
