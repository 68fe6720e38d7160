#include "eval/paper_tables.h"

#include "base/json.h"

// paper_tables.json, as bytes of the program (VLSI_PAPER_TABLES_FILE is its path).
asm(".section .rodata\n"
    ".global vlsi_paper_tables_begin\n.global vlsi_paper_tables_end\n"
    "vlsi_paper_tables_begin:\n.incbin \"" VLSI_PAPER_TABLES_FILE
    "\"\n"
    "vlsi_paper_tables_end:\n.byte 0\n"
    ".previous\n");
extern "C" const char vlsi_paper_tables_begin[];
extern "C" const char vlsi_paper_tables_end[];

namespace vlsi {
namespace {

constexpr const char* kPlace = "paper_tables.json";

std::optional<double> number_or_null(const Json& value) {
  return value.is_null() ? std::nullopt : std::optional(value.get<double>());
}

std::vector<PaperTable> read_tables() {
  const auto size = static_cast<size_t>(vlsi_paper_tables_end - vlsi_paper_tables_begin);
  std::vector<PaperTable> tables;
  for (const auto& json : parse_json({vlsi_paper_tables_begin, size}, kPlace)) {
    auto& table = tables.emplace_back();
    table.name = require<std::string>(json, "table", kPlace);
    table.benchmarks = require<std::vector<std::string>>(json, "benchmarks", kPlace);
    for (const auto& row_json : json.at("rows")) {
      auto& row = table.rows.emplace_back();
      row.model = require<std::string>(row_json, "model", kPlace);
      row.billions = number_or_null(row_json.at("billions"));
      for (const auto& score : row_json.at("scores")) row.scores.push_back(number_or_null(score));
    }
  }
  return tables;
}

}  // namespace

const std::vector<PaperTable>& paper_tables() {
  static const std::vector<PaperTable> tables = read_tables();
  return tables;
}

const PaperTable* find_paper_table(std::string_view name) {
  for (const auto& table : paper_tables()) {
    if (table.name == name) return &table;
  }
  return nullptr;
}

}  // namespace vlsi
