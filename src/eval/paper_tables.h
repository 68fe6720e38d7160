// What the method's paper reports: its tables of models and benchmarks.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace vlsi {

struct PaperTable {
  struct Row {
    std::string model;
    std::optional<double> billions;             // of parameters, as the model's name says
    std::vector<std::optional<double>> scores;  // of the benchmarks
  };
  std::string name;                     // "1", "2", "3a", "3b", "4a", "4b", "4c"
  std::vector<std::string> benchmarks;  // as `benchmarks()` names them
  std::vector<Row> rows;
};

const std::vector<PaperTable>& paper_tables();

/// Null where the paper has no such table.
const PaperTable* find_paper_table(std::string_view name);

}  // namespace vlsi
