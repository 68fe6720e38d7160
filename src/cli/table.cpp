// vlsi table: results of several models side by side.
#include <iostream>

#include "base/atomic_file.h"
#include "cli/commands.h"
#include "cli/options.h"
#include "eval/results_table.h"

namespace vlsi {
namespace {

struct ResultsTableOptions {
  std::vector<std::string> results;
  ChosenColumns columns;
  TableFormat format = TableFormat::kText;
  bool with_paper = false;
  std::filesystem::path out;
};

int run(const ResultsTableOptions& options) {
  if (options.results.empty() && !options.with_paper) fail("vlsi table wants folders of results, or --with-paper");
  auto table = read_results(options.results, *options.columns);
  if (options.with_paper) add_paper_rows(table, *options.columns);
  const auto text = to_text(table, options.format);
  if (options.out.empty()) {
    std::cout << text;
  } else {
    write_file(options.out, text);
  }
  return 0;
}

}  // namespace

Action add_table(CLI::App& command) {
  auto options = std::make_shared<ResultsTableOptions>();
  command.add_option("results", options->results,
                     "folders of `vlsi evaluate --out`, one a model; NAME=FOLDER names it");
  add_word_option(command, "--columns", options->columns, "a table of the paper, or");
  add_word_option(command, "--format", options->format, "");
  command.add_flag("--with-paper", options->with_paper, "above them, the rows that the paper has in that table");
  command.add_option("--out", options->out, "a file instead of the terminal");
  return [options] { return run(*options); };
}

}  // namespace vlsi
