// Results of several models on several benchmarks as a table, in the columns of the method's paper or all of them.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "base/table.h"
#include "base/words.h"

namespace vlsi {

/// Which benchmarks are columns: the paper's tables by their numbers.
struct TableColumns {
  std::string name, meaning;
  std::vector<std::string> benchmarks;  // empty: all that there are results of, in the order of the table of benchmarks
};
Table<TableColumns>& table_columns();
using ChosenColumns = Choice<TableColumns, table_columns>;

enum class TableFormat { kText, kMarkdown, kLatex, kHtml };
template <>
struct EnumNames<TableFormat> {
  static constexpr EnumName<TableFormat> all[]{{"text", TableFormat::kText, "best * and second +"},
                                               {"markdown", TableFormat::kMarkdown, "best bold, second underlined"},
                                               {"latex", TableFormat::kLatex, "a tabular, with booktabs"},
                                               {"html", TableFormat::kHtml, "a table element"}};
};

struct ResultsTable {
  struct Row {
    std::string name;
    std::vector<std::optional<double>> scores;  // of the columns
    bool from_paper = false;
  };
  std::vector<std::string> columns;
  std::vector<Row> rows;
  std::vector<std::string> notes;  // what a reader must know to compare: profiles
};

/// A row for each of the folders, in their order, as read_model_results has them.
ResultsTable read_results(const std::vector<std::string>& folders, const TableColumns& columns);

/// Puts the rows of the paper's table with these columns above those that are there. Error for columns of no table.
void add_paper_rows(ResultsTable& table, const TableColumns& columns);

/// The best and the second-best score of every column are marked where it has at least two different ones.
std::string to_text(const ResultsTable& table, TableFormat format);

}  // namespace vlsi
