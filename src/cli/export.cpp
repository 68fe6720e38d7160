// vlsi export: a run's student as a model directory, or its adapters as PEFT has them.
#include "base/error.h"
#include "base/log.h"
#include "checkpoint/adapter.h"
#include "checkpoint/load.h"
#include "checkpoint/save.h"
#include "cli/commands.h"
#include "cli/options.h"
#include "model/parts.h"
#include "run/student.h"

namespace vlsi {

namespace {

namespace fs = std::filesystem;

struct ExportOptions;

/// What a run's student is written as.
struct ExportFormat {
  std::string name, meaning;
  void (*write)(const ExportOptions& options, const RunConfig& config);
};
Table<ExportFormat>& export_formats();

struct ExportOptions {
  fs::path run, out;
  Choice<ExportFormat, export_formats> format;
  std::optional<StoredDtype> dtype;  // or else the run's
  std::string base_model;
  std::string naming = {};
  uint64_t max_shard_bytes = kMaxShardBytes;
};

std::string place_of(const ExportOptions& options) { return "exporting " + options.out.string(); }

/// The student of a finished run, with the adapters that it kept.
std::shared_ptr<Vlm> adapted_student(const ExportOptions& options, const RunConfig& config) {
  auto student = load_vlm(config.student.model, config.dtype);
  load_adapter(*student, options.run / "adapter");
  return student;
}

void export_model(const ExportOptions& options, const RunConfig& config) {
  const at::ScalarType dtype = options.dtype ? options.dtype->value : config.dtype.value;
  const auto finished = options.run / "model";
  const bool is_finished = fs::exists(finished);
  std::shared_ptr<Vlm> student;
  if (!is_finished) {
    student = trained_student(options.run, place_of(options));
  } else if (dtype != config.dtype && fs::exists(options.run / "adapter")) {
    student = adapted_student(options, config);  // model/ is rounded to the run's dtype already
  } else {
    student = load_vlm(finished, dtype);
  }
  save_vlm(options.out, *student, dtype, is_finished ? finished : config.student.model, options.max_shard_bytes);
}

/// Error when the run's newest checkpoint holds more than adapters.
void check_adapters_alone(const ExportOptions& options, const FoundCheckpoint& found) {
  bool has_adapter = false;
  for (const auto& [name, info] : found.tensors->tensors()) {
    for (const std::string prefix : {"parameter.", "carried."}) {
      if (!name.starts_with(prefix)) continue;
      const auto part = part_of(name.substr(prefix.size()));
      if (part != "lora")
        fail(place_of(options), ": the run trained more than adapters (", part,
             "), which --format peft cannot hold; export with --format hf");
      has_adapter = true;
    }
  }
  if (!has_adapter) fail(place_of(options), ": the run has no adapters");
}

void export_adapter(const ExportOptions& options, const RunConfig& config) {
  std::shared_ptr<Vlm> student;
  if (fs::exists(options.run / "adapter")) {
    student = adapted_student(options, config);
  } else {
    student = trained_student(options.run, place_of(options));
    check_adapters_alone(options, *newest_checkpoint(options.run));
  }
  const auto base_model = options.base_model.empty() ? config.student.model.string() : options.base_model;
  save_adapter(options.out, *student, base_model, options.naming);
}

Table<ExportFormat>& export_formats() {
  static Table<ExportFormat> formats{{"hf", "a whole model, adapters merged", export_model},
                                     {"peft", "the adapters alone", export_adapter}};
  return formats;
}

int run(const ExportOptions& options) {
  require_empty(options.out, "exporting");
  const auto config_path = options.run / "config.yaml";
  if (!fs::exists(config_path))
    fail(place_of(options), ": ", options.run.string(), " is no run: it has no config.yaml");
  const auto config = load_run_config(config_path, {});
  options.format->write(options, config);
  log_info("wrote " + options.out.string());
  return 0;
}

}  // namespace

Action add_export(CLI::App& command) {
  auto options = std::make_shared<ExportOptions>();
  command
      .add_option("--run", options->run, "the run's directory; one that is not finished gives its newest checkpoint")
      ->required();
  command.add_option("--out", options->out, "the new directory")->required();
  add_word_option(command, "--format", options->format, "");
  add_word_option(command, "--dtype", options->dtype, "hf: of the written weights [the run's]");
  command.add_option("--base-model", options->base_model,
                     "peft: what the adapter calls the model it is for [the run's student.model]");
  command.add_option(
      "--naming", options->naming,
      "peft: of the tensors, one of the model's family: gen-2, which is the default, for transformers 4.52 and "
      "newer, gen-1 for older ones");
  add_shard_option(command, options->max_shard_bytes);
  return [options] { return run(*options); };
}

}  // namespace vlsi
