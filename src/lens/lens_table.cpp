#include "lens/lens_table.h"

#include <utf8proc.h>

#include <algorithm>
#include <cmath>
#include <span>

#include "base/quoted.h"
#include "base/text_table.h"
#include "base/utf8.h"

namespace vlsi {
namespace {

constexpr int kWidestToken = 16;  // columns; longer tokens are cut
constexpr const char* kReset = "\x1b[0m";

struct Cell {
  std::string text;
  double probability = -1;  // below 0: a heading, never coloured
};

/// The text within `width` columns; what is cut off leaves an ellipsis.
std::string fit(const std::string& text, int width) {
  if (terminal_width(text) <= width) return text;
  std::string kept;
  int used = 1;
  for (std::string_view rest = text; !rest.empty();) {
    const auto step = next_code_point(rest);
    used += step.whole ? utf8proc_charwidth(static_cast<utf8proc_int32_t>(step.code_point)) : 1;
    if (used > width) break;
    kept += rest.substr(0, step.num_bytes);
    rest.remove_prefix(step.num_bytes);
  }
  return kept + "…";
}

/// Background and foreground for five steps of probability, from dark blue to yellow: the order is also one of
/// brightness.
const char* colour_of(double probability) {
  static const char* const kColours[] = {"\x1b[48;5;17;38;5;255m", "\x1b[48;5;24;38;5;255m", "\x1b[48;5;30;38;5;255m",
                                         "\x1b[48;5;71;38;5;16m", "\x1b[48;5;220;38;5;16m"};
  return kColours[std::clamp(static_cast<int>(probability * 5), 0, 4)];
}

std::string percent(double probability) {
  return std::to_string(static_cast<int>(std::lround(100 * probability))) + " %";
}

std::string spaces(int count) { return std::string(static_cast<size_t>(std::max(count, 0)), ' '); }

}  // namespace

std::string terminal_text(const std::string& text) {
  std::string shown;
  for (const char c : text) {
    if (c == ' ') {
      shown += "␣";
    } else if (c == '\n') {
      shown += "⏎";
    } else {
      shown += c;
    }
  }
  return printable(shown);
}

std::string lens_table(const LensReading& reading, const Tokenizer& tokenizer, const TableStyle& style) {
  const size_t num_positions = reading.layers.front().positions.size();
  std::vector<Cell> names{{"answer"}};  // the first column, top to bottom
  for (auto layer = reading.layers.rbegin(); layer != reading.layers.rend(); ++layer) {
    names.push_back({layer == reading.layers.rbegin() ? "output" : "layer " + std::to_string(layer->layer)});
  }
  std::vector<std::vector<Cell>> columns;  // [N][rows]
  for (size_t n = 0; n < num_positions; ++n) {
    const bool is_end = n == reading.answer.size();
    std::vector<Cell> column{
        {is_end ? "(end)" : fit(terminal_text(token_text(tokenizer, reading.answer[n])), kWidestToken)}};
    for (auto layer = reading.layers.rbegin(); layer != reading.layers.rend(); ++layer) {
      const auto& best = layer->positions[n].front();
      column.push_back(
          {fit(terminal_text(token_text(tokenizer, best.token)), kWidestToken) + " " + percent(best.probability),
           best.probability});
    }
    columns.push_back(std::move(column));
  }

  const auto widest = [](std::span<const Cell> cells) {
    int width = 0;
    for (const auto& cell : cells) width = std::max(width, terminal_width(cell.text));
    return width;
  };
  const int name_width = widest(names);
  std::string text;
  for (size_t first = 0; first < columns.size();) {
    // As many columns as the terminal takes, and at least one.
    size_t end = first;
    int used = name_width;
    while (end < columns.size() && (end == first || used + 2 + widest(columns[end]) <= style.width))
      used += 2 + widest(columns[end++]);
    if (first > 0) text += '\n';
    for (size_t row = 0; row < names.size(); ++row) {
      std::string line = names[row].text + spaces(name_width - terminal_width(names[row].text));
      for (size_t n = first; n < end; ++n) {
        const auto& cell = columns[n][row];
        const std::string padded = cell.text + spaces(widest(columns[n]) - terminal_width(cell.text));
        line += "  " + (style.colour && cell.probability >= 0 ? colour_of(cell.probability) + padded + kReset : padded);
      }
      while (line.ends_with(' ')) line.pop_back();
      text += line + "\n";
    }
    first = end;
  }
  return text;
}

}  // namespace vlsi
