#include "eval/results_table.h"

#include <algorithm>
#include <cstdio>
#include <map>
#include <set>

#include "base/json.h"
#include "eval/benchmark.h"

namespace vlsi {
namespace {

namespace fs = std::filesystem;

struct Result {
  double score;
  std::string profile;
};

/// By benchmark; those that could not be scored are left out.
std::map<std::string, Result> read_folder(const fs::path& folder) {
  std::vector<fs::path> paths;
  if (fs::exists(folder / "results.json")) paths.push_back(folder / "results.json");
  if (fs::is_directory(folder)) {
    for (const auto& entry : fs::directory_iterator(folder)) {
      if (fs::exists(entry.path() / "results.json")) paths.push_back(entry.path() / "results.json");
    }
  }
  if (paths.empty()) fail(folder.string(), ": has no results.json, and no folder in it has one");
  std::sort(paths.begin(), paths.end());
  std::map<std::string, Result> results;
  for (const auto& path : paths) {
    const Json json = read_json(path);
    const auto benchmark = require<std::string>(json, "benchmark", path.string());
    const auto score = find<double>(json, "score", path.string());
    const auto accuracy = find<double>(json, "accuracy", path.string());
    if (!score && !accuracy) continue;
    const Result result{score ? *score : 100 * *accuracy,
                        find<std::string>(json, "profile", path.string()).value_or("")};
    if (!results.emplace(benchmark, result).second) {
      fail(path.string(), ": is the second result of ", benchmark, " in ", folder.string());
    }
  }
  return results;
}

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

size_t num_characters(const std::string& text) {
  size_t count = 0;
  for (const char c : text) count += (c & 0xC0) != 0x80;
  return count;
}

/// Columns side by side; numbers to the right.
std::string aligned(const std::vector<std::vector<std::string>>& cells) {
  std::vector<size_t> widths(cells[0].size());
  for (const auto& row : cells) {
    for (size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], num_characters(row[i]));
  }
  std::string text;
  for (const auto& row : cells) {
    for (size_t i = 0; i < row.size(); ++i) {
      const std::string space(widths[i] - num_characters(row[i]), ' ');
      text += i == 0 ? row[i] + space : "  " + space + row[i];
    }
    text += '\n';
  }
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
  const std::vector<std::string> eleven{"qbench",          "ai2d",   "chartqa",   "pope",
                                        "hallusion-bench", "mme",    "mathvista", "mmbench",
                                        "mmbench-cn",      "mm-vet", "mmmu"};
  const std::vector<std::string> four{"mmbench", "blink", "mm-vet", "mmmu"};
  static Table<TableColumns> table{{"all", "every benchmark that there are results of", {}},
                                   {"1", "eleven benchmarks", eleven},
                                   {"2", "the same, of smaller models", eleven},
                                   {"3a", "models with more modules", {"mmbench", "mathvista", "mm-vet", "mmmu"}},
                                   {"3b",
                                    "challenging benchmarks",
                                    {"mm-vet", "mm-vet-v2", "mmmu", "mmstar", "ai2d", "seed-bench-2-plus", "mathvista",
                                     "blink", "cv-bench", "llava-wilder"}},
                                   {"4a", "backbones", {"mmbench", "mm-vet", "mmmu"}},
                                   {"4b", "the fine-tuning step", four},
                                   {"4c", "shares of the iterations", four}};
  return table;
}

ResultsTable read_results(const std::vector<std::string>& folders, const TableColumns& columns) {
  std::vector<std::pair<std::string, std::map<std::string, Result>>> models;
  for (const auto& given : folders) {
    const size_t sign = given.find('=');
    const fs::path folder = sign == given.npos ? given : given.substr(sign + 1);
    const auto name = sign == given.npos ? (folder / "").parent_path().filename().string() : given.substr(0, sign);
    models.emplace_back(name, read_folder(folder));
  }
  ResultsTable table;
  table.columns = columns.benchmarks;
  if (table.columns.empty()) {
    for (const auto& benchmark : benchmarks()) {
      const auto has = [&](const auto& model) { return model.second.contains(benchmark.name); };
      if (std::any_of(models.begin(), models.end(), has)) table.columns.push_back(benchmark.name);
    }
  }
  std::map<std::string, std::set<std::string>> profiles_of;
  for (const auto& [name, results] : models) {
    auto& row = table.rows.emplace_back();
    row.name = name;
    for (const auto& column : table.columns) {
      const auto found = results.find(column);
      row.scores.push_back(found == results.end() ? std::nullopt : std::optional(found->second.score));
      if (found != results.end()) profiles_of[column].insert(found->second.profile);
    }
  }
  for (const auto& [column, names] : profiles_of) {
    std::string list;
    for (const auto& name : names) list += concat(list.empty() ? "" : ", ", name.empty() ? "no profile" : name);
    if (names.size() > 1) table.notes.push_back(concat(column, ": scores of different profiles: ", list));
  }
  return table;
}

std::string to_text(const ResultsTable& table, TableFormat format) {
  const auto cells = cells_of(table, format);
  std::string text;
  if (format == TableFormat::kText) {
    text = aligned(cells);
  } else if (format == TableFormat::kMarkdown) {
    text =
        joined(cells[0], "| ", " | ", " |") + joined(std::vector<std::string>(cells[0].size(), "---"), "|", "|", "|");
    for (size_t i = 1; i < cells.size(); ++i) text += joined(cells[i], "| ", " | ", " |");
  } else if (format == TableFormat::kLatex) {
    text = concat("\\begin{tabular}{l", std::string(table.columns.size(), 'r'), "}\n\\toprule\n") +
           joined(cells[0], "", " & ", " \\\\") + "\\midrule\n";
    for (size_t i = 1; i < cells.size(); ++i) text += joined(cells[i], "", " & ", " \\\\");
    text += "\\bottomrule\n\\end{tabular}\n";
  } else {
    text = "<table>\n" + joined(cells[0], "<tr><th>", "</th><th>", "</th></tr>");
    for (size_t i = 1; i < cells.size(); ++i) text += joined(cells[i], "<tr><td>", "</td><td>", "</td></tr>");
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
