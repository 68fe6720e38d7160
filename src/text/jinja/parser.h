// Parses templates.
#pragma once

#include <string>

#include "text/jinja/ast.h"

namespace vlsi {

/// Error "place:LINE: ..." for what Jinja2 does not know, and for its tags that chat templates do not use (block,
/// extends, import, include, ...).
JinjaTemplate parse_jinja(std::string source, std::string place);

}  // namespace vlsi
