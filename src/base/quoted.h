// Text from outside, for messages and terminals.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

namespace vlsi {

/// UTF-8 with quotes, and escaped as in JSON, so that any text stays on one line.
std::string quoted(const std::string& text);

/// Bytes that are not UTF-8, such as half a character, as \xNN.
std::string with_escapes(std::string_view text);

/// As with_escapes, and control characters as \xNN, too: it stays on one line, moves no cursor and colours nothing.
std::string printable(std::string_view text);

/// The path, and what the system says of it: "runs/pair: Permission denied".
std::string printable(const std::filesystem::filesystem_error& error);

}  // namespace vlsi
