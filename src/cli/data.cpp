// vlsi data: a run's data, read through.
#include <algorithm>
#include <iostream>
#include <memory>

#include "base/atomic_file.h"
#include "base/interrupt.h"
#include "base/log.h"
#include "cli/commands.h"
#include "cli/options.h"
#include "cli/run_options.h"
#include "run/data_survey.h"
#include "run/pair_processors.h"

namespace vlsi {
namespace {

struct DataCommandOptions {
  RunOptions run;
  bool json = false;
  std::filesystem::path broken;
};

std::string line_of(const BrokenRecord& record) {
  OrderedJson line{{"source", record.source}, {"file", record.file.string()}, {"record", record.number}};
  if (record.id) line["id"] = *record.id;
  line["reason"] = record.reason;
  return line.dump(-1, ' ', false, OrderedJson::error_handler_t::replace) + "\n";
}

/// Says of which sources a run would not get to the end.
void tell_of_stops(const RunConfig& config, const std::vector<DataSource>& sources,
                   const std::vector<SourceSurvey>& surveys) {
  std::string names;
  for (size_t i = 0; i < sources.size(); ++i) {
    if (surveys[i].num_broken > 0 && ends_at_broken_record(config, sources[i]))
      names += (names.empty() ? "" : ", ") + surveys[i].name;
  }
  if (!names.empty())
    log_warning(concat("a run would end at the first broken record of ", names,
                       ": on_error is stop; with data.on_error=skip it would leave them out"));
}

int run(const DataCommandOptions& options) {
  catch_interrupts();
  const auto config = load_run_config(options.run.file, options.run.overrides);
  const auto place = options.run.file.string();
  if (config.student.model.empty()) fail(place, ": key 'student.model' is missing: its tokenizer counts");
  const auto sources = surveyed_sources(config);
  if (sources.empty()) fail(place, ": key 'data.train' is missing: name the data");
  const auto processors = load_processors(config, /*with_teacher=*/!config.teacher.model.empty());
  std::unique_ptr<AtomicFile> broken;
  if (!options.broken.empty()) {
    std::vector<std::filesystem::path> inputs{options.run.file};
    for (const auto& source : sources) inputs.push_back(source.path);
    expect_apart(options.broken, "--broken", inputs);
    broken = std::make_unique<AtomicFile>(options.broken);
  }
  const auto surveys = survey(sources, processors.both(), config.data, [&](const BrokenRecord& record) {
    if (broken) broken->write(line_of(record));
  });
  std::cout << (options.json ? to_json(surveys).dump(2) + "\n" : to_text(surveys));
  if (interrupted()) {
    log_info("stopped: what the table counts of records, the broken ones too, is of a part of them");
    return 1;
  }
  if (broken) broken->commit();
  tell_of_stops(config, sources, surveys);
  const bool all_there =
      std::all_of(surveys.begin(), surveys.end(), [](const auto& survey) { return survey.problem.empty(); });
  return all_there ? 0 : 2;
}

}  // namespace

Action add_data(CLI::App& command) {
  auto options = std::make_shared<DataCommandOptions>();
  add_run_options(command, options->run);
  command.add_flag("--json", options->json, "as JSON");
  command.add_option("--broken", options->broken, "JSONL file to write, a line for each broken record");
  return [options] { return run(*options); };
}

}  // namespace vlsi
