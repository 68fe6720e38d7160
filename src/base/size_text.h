// Sizes for people.
#pragma once

#include <cstdint>
#include <string>

namespace vlsi {

/// "512 bytes", "1.5 GiB".
std::string size_text(int64_t bytes);

}  // namespace vlsi
