// Numbers as text that reads back to the same number.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace vlsi {

/// The shortest text that reads back to `value`.
std::string number_text(double value);

/// The finite number that `text` is, as a whole; empty for anything else.
std::optional<double> parse_number(std::string_view text);

}  // namespace vlsi
