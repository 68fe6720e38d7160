// Lists that a data file writes as Python would.
#pragma once

#include <optional>
#include <string_view>

#include "base/json.h"

namespace vlsi {

/// ast.literal_eval of a list or tuple of strings, numbers, True, False, None and further lists; empty for other text.
std::optional<Json> parse_python_list(std::string_view text);

}  // namespace vlsi
