// vlsi data: a run's data, read through.
#include <algorithm>
#include <iostream>

#include "base/interrupt.h"
#include "cli/commands.h"
#include "cli/run_options.h"
#include "run/data_survey.h"
#include "run/pair_processors.h"

namespace vlsi {
namespace {

struct DataCommandOptions {
  RunOptions run;
  bool json = false;
};

int run(const DataCommandOptions& options) {
  catch_interrupts();
  const auto config = load_run_config(options.run.file, options.run.overrides);
  const auto place = options.run.file.string();
  if (config.student.model.empty()) fail(place, ": key 'student.model' is missing: its tokenizer counts");
  const auto sources = surveyed_sources(config);
  if (sources.empty()) fail(place, ": key 'data.train' is missing: name the data");
  const auto processors = load_processors(config, /*with_teacher=*/!config.teacher.model.empty());
  const auto surveys = survey(sources, processors.both(), config.data);
  std::cout << (options.json ? to_json(surveys).dump(2) + "\n" : to_text(surveys));
  if (interrupted()) return 1;
  const bool all_there =
      std::all_of(surveys.begin(), surveys.end(), [](const auto& survey) { return survey.problem.empty(); });
  return all_there ? 0 : 2;
}

}  // namespace

Action add_data(CLI::App& command) {
  auto options = std::make_shared<DataCommandOptions>();
  add_run_options(command, options->run);
  command.add_flag("--json", options->json, "as JSON");
  return [options] { return run(*options); };
}

}  // namespace vlsi
