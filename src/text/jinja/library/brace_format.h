// Python's str.format.
#pragma once

#include "text/jinja/context.h"
#include "text/jinja/template_object.h"
#include "text/jinja/traced_text.h"

namespace vlsi {

/// Fields {}, {0}, {name}, with .attribute and [item] behind, !s or !r, and a format as in {:>8.2f}. Error for others
/// and for values that are not there.
TracedText brace_format(JinjaContext& context, const TracedText& format, const JinjaArguments& arguments);

}  // namespace vlsi
