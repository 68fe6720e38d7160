// vlsi export: a run's student as a model directory, as llama.cpp's files, or its adapters as PEFT has them.
#include "base/error.h"
#include "base/log.h"
#include "checkpoint/adapter.h"
#include "checkpoint/load.h"
#include "checkpoint/save.h"
#include "checkpoint/save_gguf.h"
#include "cli/commands.h"
#include "cli/options.h"
#include "model/parts.h"
#include "run/student.h"
#include "train/run_directory.h"

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
  Choice<TensorType, tensor_types> type;
  std::optional<Choice<TensorType, tensor_types>> mmproj_type;
  std::string base_model;
  std::string naming = {};
  uint64_t max_shard_bytes = kMaxShardBytes;
};

std::string place_of(const ExportOptions& options) { return "exporting " + options.out.string(); }

/// The student as the run has it now, its weights in `dtype` or wider.
std::shared_ptr<Vlm> newest_student(const ExportOptions& options, const RunConfig& config, at::ScalarType dtype) {
  if (!has_newest_model(options.run)) return trained_student(options.run, place_of(options));
  // model/ is rounded to the run's dtype already.
  if (dtype != config.dtype && fs::exists(options.run / "adapter"))
    return adapted_student(options.run, config, place_of(options));
  return load_vlm(options.run / "model", dtype);
}

/// Where the files beside the weights are.
fs::path carried_from(const ExportOptions& options, const RunConfig& config) {
  const auto finished = options.run / "model";
  return fs::exists(finished) ? finished : fs::path(config.student.model);
}

void export_model(const ExportOptions& options, const RunConfig& config) {
  const at::ScalarType dtype = options.dtype ? options.dtype->value : config.dtype.value;
  const auto student = newest_student(options, config, dtype);
  save_vlm(options.out, *student, dtype, carried_from(options, config), options.max_shard_bytes);
}

void export_gguf(const ExportOptions& options, const RunConfig& config) {
  const auto& type = *options.type;
  const auto& beside = type.name == "q4_0" ? tensor_type("q8_0") : type;
  const GgufTypes types{&type, options.mmproj_type ? &**options.mmproj_type : &beside};
  // model/ as it is stored, or the adapters merged anew where that is finer.
  const bool is_finer = type.name != "bf16" && fs::exists(options.run / "adapter");
  const at::ScalarType dtype = is_finer ? at::kFloat : config.dtype.value;
  save_gguf(options.out, *newest_student(options, config, dtype), types, carried_from(options, config));
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
  if (fs::exists(options.run / "adapter") && !is_past_its_model(options.run)) {
    // Any model of its shapes: the adapters alone are written.
    const auto finished = options.run / "model";
    student =
        fs::exists(finished) ? load_vlm(finished, config.dtype) : load_base(options.run, config, place_of(options));
    load_adapter(*student, options.run / "adapter");
  } else {
    student = trained_student(options.run, place_of(options));
    check_adapters_alone(options, *newest_checkpoint(options.run));
  }
  const auto base_model = options.base_model.empty() ? config.student.model.string() : options.base_model;
  save_adapter(options.out, *student, base_model, options.naming);
}

Table<ExportFormat>& export_formats() {
  static Table<ExportFormat> formats{{"hf", "a whole model, adapters merged", export_model},
                                     {"peft", "the adapters alone", export_adapter},
                                     {"gguf", "a whole model for llama.cpp, adapters merged", export_gguf}};
  return formats;
}

/// Error for an option that the chosen format has no use for.
void refuse_of_other_formats(const CLI::App& command, const std::string& format) {
  constexpr std::pair<const char*, const char*> kOptions[]{{"--dtype", "hf"},        {"--max-shard-bytes", "hf"},
                                                           {"--type", "gguf"},       {"--mmproj-type", "gguf"},
                                                           {"--base-model", "peft"}, {"--naming", "peft"}};
  for (const auto& [name, of] : kOptions) {
    if (command.get_option(name)->count() > 0 && format != of)
      fail(name, " is for --format ", of, ", and --format is ", format);
  }
}

int run(const ExportOptions& options) {
  require_empty(options.out, "exporting");
  const auto config_path = options.run / kRunConfigFile;
  if (!fs::exists(config_path))
    fail(place_of(options), ": ", options.run.string(), " is no run: it has no ", kRunConfigFile);
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
  add_word_option(command, "--type", options->type, "gguf: of the text model's maps");
  add_word_option(command, "--mmproj-type", options->mmproj_type,
                  "gguf: of the maps of tower and projector [--type; q8_0 beside q4_0]");
  command.add_option("--base-model", options->base_model,
                     "peft: what the adapter calls the model it is for [the run's student.model]");
  command.add_option(
      "--naming", options->naming,
      "peft: of the tensors, one of the model's family: gen-2, which is the default, for transformers 4.52 and "
      "newer, gen-1 for older ones");
  add_shard_option(command, options->max_shard_bytes);
  return [options, &command] {
    refuse_of_other_formats(command, options->format->name);
    return run(*options);
  };
}

}  // namespace vlsi
