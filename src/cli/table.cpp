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
  std::filesystem::path out;
};

int run(const ResultsTableOptions& options) {
  const auto text = to_text(read_results(options.results, *options.columns), options.format);
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
  command
      .add_option("results", options->results, "folders of `vlsi evaluate --out`, one a model; NAME=FOLDER names it")
      ->required();
  add_word_option(command, "--columns", options->columns, "a table of the paper, or");
  add_word_option(command, "--format", options->format, "");
  command.add_option("--out", options->out, "a file instead of the terminal");
  return [options] { return run(*options); };
}

}  // namespace vlsi
