// Text from outside in a message.
#pragma once

#include <string>

#include "base/json.h"

namespace vlsi {

/// With quotes, and escaped as in JSON, so that any text stays on one line.
inline std::string quoted(const std::string& text) { return Json(text).dump(); }

}  // namespace vlsi
