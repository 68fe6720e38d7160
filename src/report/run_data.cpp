#include "report/run_data.h"

#include <algorithm>

#include "base/error.h"
#include "eval/model_results.h"
#include "report/overview.h"
#include "train/run_directory.h"

namespace vlsi {
namespace {

namespace fs = std::filesystem;

OrderedJson paths_json(const std::vector<DataSource>& sources) {
  OrderedJson paths = OrderedJson::array();
  for (const auto& source : sources) paths.push_back(source.path.string());
  return paths;
}

OrderedJson settings_json(const RunSettings& settings) {
  OrderedJson differences = OrderedJson::array(), planned = OrderedJson::object();
  for (const auto& [key, value, default_value] : settings.differences) {
    differences.push_back({{"key", key}, {"value", value}, {"default", default_value}});
  }
  for (const auto& [step, iterations] : settings.planned) {
    planned[name_of(step)] = iterations > 0 ? OrderedJson(iterations) : OrderedJson(nullptr);
  }
  const auto model_json = [](const auto& model) {
    return OrderedJson{{"model", model.model.string()}, {"layers", model.layers}};
  };
  return {{"method", settings.method},
          {"seed", settings.seed},
          {"student", model_json(settings.config.student)},
          {"teacher", model_json(settings.config.teacher)},
          {"train", paths_json(settings.data.train)},
          {"validation", paths_json(settings.data.validation)},
          {"planned", std::move(planned)},
          {"differences", std::move(differences)}};
}

/// A number of an object that may lack it.
OrderedJson number_of(const Json& object, const char* key) {
  return object.contains(key) && object[key].is_number() ? OrderedJson(object[key].get<double>())
                                                         : OrderedJson(nullptr);
}

/// In per cent, or in the benchmark's points; results of exact matches have the share alone.
OrderedJson score_of(const Json& tally) {
  const auto score = number_of(tally, "score"), accuracy = number_of(tally, "accuracy");
  return score.is_null() && !accuracy.is_null() ? OrderedJson(100 * accuracy.get<double>()) : score;
}

OrderedJson evaluation_json(const std::string& name, const Json& results) {
  OrderedJson categories = OrderedJson::object();
  if (results.contains("categories") && results["categories"].is_object()) {
    for (const auto& [category, tally] : results["categories"].items()) {
      if (tally.is_object()) categories[category] = score_of(tally);
    }
  }
  const auto found = results.find("benchmark");
  const auto benchmark = found != results.end() && found->is_string() ? found->get<std::string>() : name;
  return {{"name", name},
          {"benchmark", benchmark},
          {"score", score_of(results)},
          {"full", full_score(benchmark)},
          {"total", number_of(results, "total")},
          {"categories", std::move(categories)}};
}

OrderedJson summary_json(const Json& summary) {
  OrderedJson steps = OrderedJson::array();
  if (summary.contains("steps") && summary["steps"].is_array()) {
    for (const auto& step : summary["steps"]) {
      if (!step.is_object() || !step.contains("step") || !step["step"].is_string()) continue;
      steps.push_back({{"step", step["step"].get<std::string>()}, {"seconds", number_of(step, "seconds")}});
    }
  }
  return {{"steps", std::move(steps)}, {"peak_memory_bytes", number_of(summary, "peak_memory_bytes")}};
}

/// In a line: "vlsi 0.1.0, LibTorch 2.13.0 for cpu, 2 threads, AVX512".
OrderedJson program_text(const Json& version) {
  const auto text = [&](const char* key) {
    const auto found = version.find(key);
    if (found == version.end()) return std::string("?");
    return found->is_string() ? found->get<std::string>() : found->dump();
  };
  return concat("vlsi ", text("version"), ", LibTorch ", text("libtorch"), " for ", text("libtorch_for"), ", ",
                text("threads"), " threads, ", text("vector_instructions"));
}

}  // namespace

RunData::RunData(const fs::path& directory) : directory_(directory), metrics_(directory / kRunMetricsFile) {
  const auto has = [&](const char* name) {
    std::error_code unknown;
    return fs::exists(directory / name, unknown);
  };
  const bool has_config = has(kRunConfigFile);
  if (!has_config && !has(kRunMetricsFile)) {
    fail("reporting on ", directory.string(), ": it is no run directory: found neither ", kRunMetricsFile, " nor ",
         kRunConfigFile, " in it");
  }
  if (has_config) settings_ = read_run_settings(directory / kRunConfigFile);
  metrics_.refresh();
  read_results();
}

bool RunData::refresh() {
  const bool metrics_changed = metrics_.refresh();
  const auto summary = summary_, program = program_, evaluations = evaluations_;
  const auto file_notes = file_notes_;
  read_results();
  return metrics_changed || summary != summary_ || program != program_ || evaluations != evaluations_ ||
         file_notes != file_notes_;
}

std::optional<Json> RunData::read_optional(const fs::path& path) {
  std::error_code unknown;
  if (!fs::exists(path, unknown) && !unknown) return std::nullopt;
  try {
    auto json = read_json(path);
    if (json.is_object()) return json;
    file_notes_.push_back(concat(path.string(), " is ", describe(json), ", expected an object; it is left out"));
  } catch (const Error& error) {
    file_notes_.push_back(concat(error.what(), "; it is left out"));
  }
  return std::nullopt;
}

std::vector<fs::path> RunData::folders_with_results() {
  std::vector<fs::path> folders;
  std::error_code problem, unknown;
  for (fs::directory_iterator entry(directory_, problem), end; !problem && entry != end; entry.increment(problem)) {
    if (entry->is_directory(unknown) && fs::exists(entry->path() / kResultsFile, unknown))
      folders.push_back(entry->path());
  }
  if (problem) {
    file_notes_.push_back(
        concat("looking for results in ", directory_.string(), ": ", problem.message(), "; they are left out"));
  }
  std::sort(folders.begin(), folders.end());
  return folders;
}

void RunData::read_results() {
  file_notes_.clear();
  summary_ = program_ = nullptr;
  if (const auto summary = read_optional(directory_ / kRunSummaryFile)) summary_ = summary_json(*summary);
  if (const auto version = read_optional(directory_ / "version.json")) program_ = program_text(*version);
  evaluations_ = OrderedJson::array();
  for (const auto& folder : folders_with_results()) {
    if (const auto results = read_optional(folder / kResultsFile)) {
      evaluations_.push_back(evaluation_json(folder.filename().string(), *results));
    }
  }
}

OrderedJson RunData::to_json() const {
  auto notes = metrics_.notes();
  if (settings_.method.empty())
    notes.push_back(
        concat("there is no ", kRunConfigFile, ": the configuration and the layers' numbers are not known"));
  notes.insert(notes.end(), file_notes_.begin(), file_notes_.end());
  auto name = directory_.lexically_normal();
  if (!name.has_filename()) name = name.parent_path();
  const TargetLayers layers{settings_.config.student.layers, settings_.config.teacher.layers};
  return {{"name", name.filename().string()},
          {"path", directory_.string()},
          {"notes", notes},
          {"lines", metrics_.num_lines()},
          {"finished", !summary_.is_null()},
          {"settings", settings_json(settings_)},
          {"summary", summary_},
          {"program", program_},
          {"evaluations", evaluations_},
          {"steps", metrics_.steps_json(layers)},
          {"matching", metrics_.matching_json(layers)}};
}

}  // namespace vlsi
