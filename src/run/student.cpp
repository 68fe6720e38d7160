#include "run/student.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <algorithm>

#include "base/error.h"
#include "base/random.h"
#include "checkpoint/adapter.h"
#include "checkpoint/load.h"
#include "model/parts.h"
#include "run/steps.h"

namespace vlsi {

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
  const auto is_among = [](const std::vector<std::string>& parts, std::string_view part) {
    return std::find(parts.begin(), parts.end(), part) != parts.end();
  };
  const bool interacted = config.interact.iterations > 0;
  std::vector<std::pair<std::string, at::Tensor>> changed;  // by the name in the checkpoint
  for (const auto& [name, parameter] : student.named_parameters()) {
    const auto part = part_of(name);
    const bool by_interact = interacted && is_among(config.interact.train, part);
    const bool learns_now = is_among(settings_of(config, step).train, part);
    if (learns_now || by_interact) changed.emplace_back((learns_now ? "parameter." : "carried.") + name, parameter);
  }
  found.check_has(sources_of(changed));
  for (auto& [name, parameter] : changed) parameter.set_data(found.tensor(name, parameter));
}

std::shared_ptr<Vlm> trained_student(const std::filesystem::path& run, const std::string& place) {
  const auto found = newest_checkpoint(run);
  if (!found || is_verbalization(step_of(*found))) {
    fail(place, ": the run in ", run.string(), " has not trained its student yet: ",
         found ? "its newest checkpoint is " + found->path.filename().string() : "it has no checkpoint");
  }
  const auto config = load_run_config(run / "config.yaml", {});
  auto student = load_student(config, config.dtype, at::kCPU);
  restore_student(*student, config, *found);
  return student;
}

}  // namespace vlsi
