// Numbers as Python reads, rounds and writes them.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "text/python/python_text.h"

namespace vlsi {

/// float(text): white space around it, digits of any script, single underscores between digits, inf and nan; what is
/// too large is infinite. Empty where Python raises ValueError.
std::optional<double> parse_float(TextView text);

/// int(text) as text in its shortest form. Empty where Python raises ValueError, as for more than 4,300 digits.
std::optional<Text> parse_int(TextView text);

/// str(value): the shortest text that reads back, with ".0" or an exponent.
Text float_text(double value);

/// str(int(value)): without what follows the point. Empty for what is not finite.
std::optional<Text> whole_text(double value);

/// round(value, digits): half to even of the exact binary value; digits may be negative.
double round_to(double value, int64_t digits);

/// str(round(value)), the nearest whole number, half to even. Empty for what is not finite.
std::optional<Text> rounded_text(double value);

}  // namespace vlsi
