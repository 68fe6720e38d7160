#include "method/student.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include "base/error.h"
#include "base/random.h"
#include "model/adapter.h"
#include "model/load.h"

namespace vlsi {

std::shared_ptr<Vlm> load_student(const RunConfig& config, at::ScalarType dtype, at::Device device) {
  auto student = load_vlm(config.student.model, dtype, device);
  student->set_vision_cache(config.vision_cache);
  const auto& lora = config.student.lora;
  if (!config.student.adapter.empty()) load_adapter(*student, config.student.adapter);
  if (lora.rank > 0)
    student->add_lora(lora.rank, lora.alpha, lora.targets, derive_seed(config.seed, "lora"), "student.lora.targets");
  return student;
}

void restore_student(Vlm& student, const FoundCheckpoint& found) {
  at::NoGradGuard no_grad;
  if (found.state.step.starts_with("verbalize")) return;
  for (auto& item : student.named_parameters()) {
    for (const char* prefix : {"parameter.", "carried."}) {
      if (found.tensors->tensors().count(prefix + item.first) == 0) continue;
      item.second.set_data(found.tensor(prefix + item.first, item.second));
    }
  }
}

std::shared_ptr<Vlm> trained_student(const std::filesystem::path& run, const std::string& place) {
  const auto found = newest_checkpoint(run);
  if (!found || found->state.step.starts_with("verbalize")) {
    fail(place, ": the run in ", run.string(), " has not trained its student yet: ",
         found ? "its newest checkpoint is " + found->path.filename().string() : "it has no checkpoint");
  }
  const auto config = load_run_config(run / "config.yaml", {});
  auto student =
      load_student(config, parse_dtype(config.dtype, (run / "config.yaml").string() + ": key 'dtype'"), at::kCPU);
  restore_student(*student, *found);
  return student;
}

}  // namespace vlsi
