#include "eval/results_table.h"

#include <algorithm>
#include <cstdio>
#include <map>
#include <set>

#include "base/error.h"
#include "base/text_table.h"
#include "eval/benchmark.h"
#include "eval/model_results.h"
#include "eval/paper_tables.h"

namespace vlsi {
namespace {

std::string score_text(double value) {
  char text[64];
  // Sums of points (MME) have no decimals in the field's tables.
  std::snprintf(text, sizeof text, value >= 200 ? "%.0f" : "%.1f", value);
  return text;
}

struct Marks {
  std::string_view best[2], second[2];
};

Marks marks_of(TableFormat format) {
  switch (format) {
    case TableFormat::kText: return {{"", "*"}, {"", "+"}};
    case TableFormat::kMarkdown: return {{"**", "**"}, {"<u>", "</u>"}};
    case TableFormat::kLatex: return {{"\\textbf{", "}"}, {"\\underline{", "}"}};
    case TableFormat::kHtml: return {{"<b>", "</b>"}, {"<u>", "</u>"}};
  }
  return {};
}

std::string escaped(const std::string& text, TableFormat format) {
  const std::string_view special = format == TableFormat::kLatex      ? "&%$#_{}"
                                   : format == TableFormat::kMarkdown ? "|*_<"
                                   : format == TableFormat::kHtml     ? "&<>"
                                                                      : "";
  std::string result;
  for (const char c : text) {
    if (special.find(c) == special.npos) {
      result += c;
    } else if (format == TableFormat::kHtml) {
      result += c == '&' ? "&amp;" : c == '<' ? "&lt;" : "&gt;";
    } else {
      result += {'\\', c};
    }
  }
  return result;
}

/// All cells as texts, the first row the header; equal scores are marked alike.
std::vector<std::vector<std::string>> cells_of(const ResultsTable& table, TableFormat format) {
  const auto marks = marks_of(format);
  std::vector<std::vector<std::string>> cells{{"model"}};
  for (const auto& column : table.columns) cells[0].push_back(escaped(column, format));
  for (const auto& row : table.rows) cells.push_back({escaped(row.name, format)});
  for (size_t column = 0; column < table.columns.size(); ++column) {
    std::set<std::string, bool (*)(const std::string&, const std::string&)> scores(
        [](const std::string& a, const std::string& b) { return std::stod(a) > std::stod(b); });
    for (const auto& row : table.rows) {
      if (row.scores[column]) scores.insert(score_text(*row.scores[column]));
    }
    for (size_t i = 0; i < table.rows.size(); ++i) {
      const auto& score = table.rows[i].scores[column];
      std::string text = score ? score_text(*score) : "-";
      if (score && scores.size() > 1 && text == *scores.begin()) {
        text = concat(marks.best[0], text, marks.best[1]);
      } else if (score && scores.size() > 1 && text == *std::next(scores.begin())) {
        text = concat(marks.second[0], text, marks.second[1]);
      }
      cells[i + 1].push_back(text);
    }
  }
  return cells;
}

/// Whether the line of cells is the first one behind the paper's.
bool begins_ours(const ResultsTable& table, size_t line) {
  return line >= 2 && table.rows[line - 2].from_paper && !table.rows[line - 1].from_paper;
}

std::string aligned(const std::vector<std::vector<std::string>>& cells, const ResultsTable& table) {
  const auto lines = aligned_lines(cells);
  std::string text;
  for (size_t i = 0; i < lines.size(); ++i) text += concat(begins_ours(table, i) ? "\n" : "", lines[i], "\n");
  return text;
}

std::string joined(const std::vector<std::string>& row, std::string_view before, std::string_view between,
                   std::string_view after) {
  std::string line(before);
  for (size_t i = 0; i < row.size(); ++i) line += concat(i > 0 ? between : "", row[i]);
  return concat(line, after, "\n");
}

}  // namespace

Table<TableColumns>& table_columns() {
  const auto of_paper = [](const char* name, const char* meaning) {
    return TableColumns{name, meaning, find_paper_table(name)->benchmarks};
  };
  static Table<TableColumns> table{{"all", "every benchmark that there are results of", {}},
                                   of_paper("1", "eleven benchmarks"),
                                   of_paper("2", "the same, of smaller models"),
                                   of_paper("3a", "models with more modules"),
                                   of_paper("3b", "challenging benchmarks"),
                                   of_paper("4a", "backbones"),
                                   of_paper("4b", "the fine-tuning step"),
                                   of_paper("4c", "shares of the iterations")};
  return table;
}

ResultsTable read_results(const std::vector<std::string>& folders, const TableColumns& columns) {
  const auto models = read_model_results(folders);
  ResultsTable table;
  table.columns = columns.benchmarks;
  if (table.columns.empty()) {
    for (const auto& benchmark : benchmarks()) {
      const auto has = [&](const auto& model) { return model.of.contains(benchmark.name); };
      if (std::any_of(models.begin(), models.end(), has)) table.columns.push_back(benchmark.name);
    }
  }
  std::map<std::string, std::set<std::string>> profiles_of;
  for (const auto& model : models) {
    auto& row = table.rows.emplace_back();
    row.name = model.name;
    for (const auto& column : table.columns) {
      const auto found = model.of.find(column);
      row.scores.push_back(found == model.of.end() ? std::nullopt : std::optional(found->second.score));
      if (found != model.of.end()) profiles_of[column].insert(found->second.profile);
    }
  }
  for (const auto& [column, names] : profiles_of) {
    std::string list;
    for (const auto& name : names) list += concat(list.empty() ? "" : ", ", name.empty() ? "no profile" : name);
    if (names.size() > 1) table.notes.push_back(concat(column, ": scores of different profiles: ", list));
  }
  return table;
}

void add_paper_rows(ResultsTable& table, const TableColumns& columns) {
  const PaperTable* paper = find_paper_table(columns.name);
  if (paper == nullptr) {
    std::string names;
    for (const auto& one : paper_tables()) names += concat(names.empty() ? "" : ", ", one.name);
    fail("the paper has no table with the columns '", columns.name, "', expected --columns ", names);
  }
  std::vector<ResultsTable::Row> rows;
  for (const auto& row : paper->rows) rows.push_back({row.model, row.scores, true});
  table.notes.push_back(concat("the first ", rows.size(), " rows: the paper, Table ", paper->name));
  table.rows.insert(table.rows.begin(), rows.begin(), rows.end());
}

std::string to_text(const ResultsTable& table, TableFormat format) {
  const auto cells = cells_of(table, format);
  std::string text;
  if (format == TableFormat::kText) {
    text = aligned(cells, table);
  } else if (format == TableFormat::kMarkdown) {
    text =
        joined(cells[0], "| ", " | ", " |") + joined(std::vector<std::string>(cells[0].size(), "---"), "|", "|", "|");
    for (size_t i = 1; i < cells.size(); ++i) text += joined(cells[i], "| ", " | ", " |");
  } else if (format == TableFormat::kLatex) {
    text = concat("\\begin{tabular}{l", std::string(table.columns.size(), 'r'), "}\n\\toprule\n") +
           joined(cells[0], "", " & ", " \\\\") + "\\midrule\n";
    for (size_t i = 1; i < cells.size(); ++i) {
      if (begins_ours(table, i)) text += "\\midrule\n";
      text += joined(cells[i], "", " & ", " \\\\");
    }
    text += "\\bottomrule\n\\end{tabular}\n";
  } else {
    text = "<table>\n" + joined(cells[0], "<tr><th>", "</th><th>", "</th></tr>");
    for (size_t i = 1; i < cells.size(); ++i)
      text += joined(cells[i], table.rows[i - 1].from_paper ? "<tr class=\"paper\"><td>" : "<tr><td>", "</td><td>",
                     "</td></tr>");
    text += "</table>\n";
  }
  for (const auto& note : table.notes) {
    text += format == TableFormat::kLatex  ? "% " + note + "\n"
            : format == TableFormat::kHtml ? "<p>" + escaped(note, format) + "</p>\n"
                                           : (format == TableFormat::kMarkdown ? "\n" : "") + note + "\n";
  }
  return text;
}

}  // namespace vlsi
