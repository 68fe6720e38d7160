#include "base/text_table.h"

#include <utf8proc.h>

#include <algorithm>

#include "base/utf8.h"

namespace vlsi {

int terminal_width(std::string_view text) {
  int width = 0;
  while (!text.empty()) {
    const auto step = next_code_point(text);
    width += step.whole ? utf8proc_charwidth(static_cast<utf8proc_int32_t>(step.code_point)) : 1;
    text.remove_prefix(step.num_bytes);
  }
  return width;
}

std::vector<std::string> aligned_lines(const std::vector<std::vector<std::string>>& rows) {
  std::vector<int> widths(rows[0].size());
  for (const auto& row : rows) {
    for (size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], terminal_width(row[i]));
  }
  std::vector<std::string> lines;
  for (const auto& row : rows) {
    auto& line = lines.emplace_back();
    for (size_t i = 0; i < row.size(); ++i) {
      const std::string space(static_cast<size_t>(widths[i] - terminal_width(row[i])), ' ');
      line += i == 0 ? row[i] + space : "  " + space + row[i];
    }
  }
  return lines;
}

}  // namespace vlsi
