// What this program is and works with: its version, LibTorch, and the abilities of the processor that it uses.
#pragma once

#include <string>

#include "base/json.h"

namespace vlsi {

/// {"version", "build", "compiler", "libtorch", "libtorch_for", "threads", "vector_instructions",
/// "bfloat16_head_products", "mkl"}, docs/formats.md.
OrderedJson version_json();

/// The same as lines, the first of which is "vlsi <version>".
std::string version_text();

}  // namespace vlsi
