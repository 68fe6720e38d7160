#include "run/student.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <optional>

#include "base/contains.h"
#include "base/dtype.h"
#include "base/error.h"
#include "base/json.h"
#include "base/log.h"
#include "base/random.h"
#include "checkpoint/adapter.h"
#include "checkpoint/load.h"
#include "checkpoint/save.h"
#include "model/linear.h"
#include "model/parts.h"
#include "run/steps.h"
#include "teacher/verbalizers.h"
#include "train/run_directory.h"

namespace vlsi {
namespace {

/// Whether the run's interaction trains the parameter.
bool learns_by_interaction(const RunConfig& config, std::string_view parameter) {
  return config.interact.iterations > 0 && contains(config.interact.train, part_of(parameter));
}

/// With new adapters by student.lora or those of student.adapter.
std::shared_ptr<Vlm> add_adapters(std::shared_ptr<Vlm> student, const RunConfig& config) {
  const auto& lora = config.student.lora;
  if (!config.student.adapter.empty()) load_adapter(*student, config.student.adapter);
  if (lora.rank > 0)
    student->add_lora(lora.rank, lora.alpha, lora.targets, derive_seed(config.seed, "lora"), "student.lora.targets");
  return student;
}

/// "student.model of runs/a/config.yaml is base", for messages about the model that a run started from.
std::string base_of(const std::filesystem::path& run, const RunConfig& config) {
  return concat("student.model of ", (run / kRunConfigFile).string(), " is ", config.student.model.string());
}

/// How far the numbers of a merged weight may lie from those that another processor or a GPU merged: as sums of rank +
/// 1 terms in another order, and a rounding to `merged`'s type. [out, in]
at::Tensor merging_error(const Linear& linear, const at::Tensor& merged) {
  const auto a = linear.lora_a().abs(), b = linear.lora_b().abs();
  const auto terms = linear.weight().to(at::kFloat).abs() + std::abs(linear.lora_scale()) * b.matmul(a);
  const double of_sums = 2 * static_cast<double>(a.size(0) + 2) * std::numeric_limits<float>::epsilon();
  const double of_rounding = merged.scalar_type() == at::kBFloat16 ? 0x1p-7 : 0;
  return of_sums * terms + of_rounding * merged.to(at::kFloat).abs();
}

/// Error unless the student, its adapters merged, is `run`/model: another model would be written without a word.
void check_merges_to_model(const Vlm& student, const std::filesystem::path& run, const RunConfig& config,
                           const std::string& place) {
  at::NoGradGuard no_grad;
  std::map<std::string, const Linear*> adapted;
  student.for_each_module([&](const std::string& name, Module& module) {
    const auto* linear = dynamic_cast<Linear*>(&module);
    if (linear != nullptr && linear->has_lora()) adapted.emplace(name + ".weight", linear);
  });
  const auto& family = family_of(student.config());
  const auto finished = Checkpoint::open(run / "model");
  Problems ignored;
  const auto names = stored_names(finished, family, ignored);
  const auto is_same = [&](const std::string& name, const at::Tensor& merged) {
    const auto stored = names.find(name);
    if (stored == names.end() || finished.info(stored->second).shape != merged.sizes()) return false;
    const auto kept = finished.tensor(stored->second).to(at::kFloat), own = merged.to(at::kFloat);
    const auto linear = adapted.find(name);
    if (linear == adapted.end()) return at::equal(kept, own);
    return ((kept - own).abs() <= merging_error(*linear->second, merged)).all().item<bool>();
  };
  for (const auto& weight : merged_weights(student, config.dtype, place)) {
    if (!is_same(weight.name, weight.make()))
      fail(place, ": ", base_of(run, config), ", but with ", (run / "adapter").string(), " merged its ",
           family.written_name(weight.name), " is not that of ", (run / "model").string(),
           ", expected the model that the run's adapters were trained beside");
  }
}

/// Error where the run's verbalizers, if it has some of its own, know another student than the one that it started
/// from.
void check_known_base(const Vlm& student, const std::filesystem::path& run, const RunConfig& config,
                      const std::string& place) {
  const auto directory = run / entry_of(StepKind::kVerbalizeStudent).verbalizers_folder;
  if (!has_verbalizers(directory)) return;
  std::optional<BackboneFingerprint> known;
  try {
    known = read_verbalizers_description(directory).backbone;
  } catch (const Error& error) {
    log_warning(concat("whether ", base_of(run, config), " as it was is not known: ", error.what()));
    return;
  }
  if (known->dtype != dtype_name(student.dtype())) return;
  const auto found = BackboneFingerprint::of(student);
  if (found.head != known->head || found.layers != known->layers)
    fail(place, ": ", base_of(run, config), ", whose ", found.layers != known->layers ? "decoder" : "language head",
         " is not the one that ", directory.string(), " was trained on, expected the model that the run started from");
}

}  // namespace

std::shared_ptr<Vlm> load_base(const std::filesystem::path& run, const RunConfig& config, const std::string& place) {
  const auto& model = config.student.model;
  if (!std::filesystem::exists(model / "config.json")) {
    std::error_code unknown;
    const auto tried = std::filesystem::absolute(model, unknown);
    fail(place, ": ", base_of(run, config), ", but there is no model in ", unknown ? model.string() : tried.string(),
         ", expected the one that the run started from; a relative path starts at the working directory");
  }
  return load_vlm(model, config.dtype);
}

std::shared_ptr<Vlm> adapted_student(const std::filesystem::path& run, const RunConfig& config,
                                     const std::string& place) {
  auto student = load_base(run, config, place);
  load_adapter(*student, run / "adapter");
  check_merges_to_model(*student, run, config, place);
  return student;
}

std::shared_ptr<Vlm> load_student(const RunConfig& config, at::ScalarType dtype, at::Device device) {
  return add_adapters(load_vlm(config.student.model, dtype, device), config);
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
  auto student = add_adapters(load_base(run, config, place), config);
  check_known_base(*student, run, config, place);
  restore_student(*student, config, *found);
  return student;
}

}  // namespace vlsi
