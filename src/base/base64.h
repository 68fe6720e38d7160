// Bytes as base64 text (RFC 4648), and back.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace vlsi {

std::string base64(std::string_view bytes);

/// Nothing when `text` is no base64. Spaces and line ends are passed over; padding may be missing.
std::optional<std::string> from_base64(std::string_view text);

}  // namespace vlsi
