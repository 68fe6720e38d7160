// Strings as they stand in tags.
#pragma once

#include <string>
#include <string_view>

namespace vlsi {

/// What stands between a string's quotes, with Python's escapes resolved; unknown ones stay as they are. `place` is for
/// errors: an escape that is cut off, names a character (\N{...}) or gives no code point.
std::string resolve_escapes(std::string_view literal, const std::string& place);

}  // namespace vlsi
