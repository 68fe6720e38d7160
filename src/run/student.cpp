#include "run/student.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <algorithm>

#include "base/contains.h"
#include "base/error.h"
#include "base/json.h"
#include "base/log.h"
#include "base/random.h"
#include "checkpoint/adapter.h"
#include "checkpoint/load.h"
#include "checkpoint/save.h"
#include "model/parts.h"
#include "run/steps.h"
#include "train/run_directory.h"

namespace vlsi {
namespace {

/// Whether the run's interaction trains the parameter.
bool learns_by_interaction(const RunConfig& config, std::string_view parameter) {
  return config.interact.iterations > 0 && contains(config.interact.train, part_of(parameter));
}

}  // namespace

std::shared_ptr<Vlm> load_student(const RunConfig& config, at::ScalarType dtype, at::Device device) {
  auto student = load_vlm(config.student.model, dtype, device);
  const auto& lora = config.student.lora;
  if (!config.student.adapter.empty()) load_adapter(*student, config.student.adapter);
  if (lora.rank > 0)
    student->add_lora(lora.rank, lora.alpha, lora.targets, derive_seed(config.seed, "lora"), "student.lora.targets");
  return student;
}

void restore_student(Vlm& student, const RunConfig& config, const FoundCheckpoint& found) {
  at::NoGradGuard no_grad;
  const auto step = step_of(found);
  if (is_verbalization(step)) return;
  std::vector<std::pair<std::string, at::Tensor>> changed;  // by the name in the checkpoint
  for (const auto& [name, parameter] : student.named_parameters()) {
    const bool learns_now = contains(settings_of(config, step).train, part_of(name));
    if (learns_now || learns_by_interaction(config, name))
      changed.emplace_back((learns_now ? "parameter." : "carried.") + name, parameter);
  }
  found.check_has(sources_of(changed));
  for (auto& [name, parameter] : changed) parameter.set_data(found.tensor(name, parameter));
}

NamedTensors changed_before_finetune(const Vlm& student, const RunConfig& config) {
  NamedTensors changed;
  for (const auto& [name, parameter] : student.named_parameters()) {
    if (learns_by_interaction(config, name) && !contains(config.finetune.train, part_of(name))) {
      changed.emplace_back(name, parameter);
    }
  }
  return changed;
}

void save_student(const Vlm& student, const RunConfig& config, bool finetuned) {
  save_vlm(config.out / "model", student, student.dtype(), config.student.model);
  std::vector<std::string> parts;
  if (config.interact.iterations > 0) parts = config.interact.train;
  if (finetuned) parts.insert(parts.end(), config.finetune.train.begin(), config.finetune.train.end());
  if (!parts.empty() && std::all_of(parts.begin(), parts.end(), [](const auto& part) { return part == "lora"; })) {
    save_adapter(config.out / "adapter", student, config.student.model.string());
  } else {
    std::filesystem::remove_all(config.out / "adapter");  // of an earlier step alone
  }
}

std::string checkpoint_of_model(const std::filesystem::path& run) {
  const auto path = run / kRunSummaryFile;
  if (!std::filesystem::exists(path)) return {};
  const auto place = path.string();
  const auto summary = read_json(path);
  if (const auto named = find<std::string>(summary, "student", place)) return *named;
  std::string last;
  for (const auto& step : find<std::vector<Json>>(summary, "steps", place).value_or(std::vector<Json>())) {
    const auto name = require<std::string>(step, "step", place);
    const auto* entry = step_table().find(name);
    if (entry == nullptr || is_verbalization(entry->kind)) continue;
    last = concat(name, '-', require<int64_t>(step, "iterations", place));
  }
  return last;
}

bool is_past_its_model(const std::filesystem::path& run) {
  try {
    const auto newest = newest_checkpoint_name(run);
    return !newest.empty() && checkpoint_of_model(run) != newest;
  } catch (const Error& error) {
    log_warning(concat("whether the run in ", run.string(), " has a newer checkpoint is not known: ", error.what(),
                       "; its model/ is taken"));
    return false;
  }
}

bool has_newest_model(const std::filesystem::path& run) {
  return std::filesystem::exists(run / "model") && !is_past_its_model(run);
}

std::shared_ptr<Vlm> trained_student(const std::filesystem::path& run, const std::string& place) {
  const auto found = newest_checkpoint(run);
  if (!found || is_verbalization(step_of(*found))) {
    fail(place, ": the run in ", run.string(), " has not trained its student yet: ",
         found ? "its newest checkpoint is " + found->path.filename().string() : "it has no checkpoint");
  }
  const auto config = load_run_config(run / kRunConfigFile, {});
  auto student = load_student(config, config.dtype, at::kCPU);
  restore_student(*student, config, *found);
  return student;
}

}  // namespace vlsi
