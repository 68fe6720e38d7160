// Tables as text for terminals and logs.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace vlsi {

/// The columns of a terminal that `text` takes; what is not UTF-8 takes one.
int terminal_width(std::string_view text);

/// The rows' cells, two spaces apart, each column as wide as its widest cell: the first to the left, all others to the
/// right. Lines have no line end. Rows are of equal length.
std::vector<std::string> aligned_lines(const std::vector<std::vector<std::string>>& rows);

}  // namespace vlsi
