#include "plan/planned_run.h"

#include <algorithm>
#include <cmath>

namespace vlsi {

double num_micro_batches(const PlannedRun& run, StepKind step) {
  const double ranks = run.ranks_at_start > 0 ? run.ranks_at_start : static_cast<double>(run.num_ranks);
  return ranks * static_cast<double>(settings_of(run.config, step).optimizer.accumulate);
}

double micro_batches_of_a_rank(const PlannedRun& run, StepKind step) {
  return std::ceil(num_micro_batches(run, step) / static_cast<double>(run.num_ranks));
}

double adapter_values(const PlannedRun& run) {
  const auto& lora = run.config.student.lora;
  return run.given_adapter_values + run.student.lora_values(lora.rank, lora.targets);
}

double verbalizer_values(const PlannedRun& run, const ModelSizes& model) {
  auto network = run.config.verbalize.network;
  if (!run.config.interact.head && &model == &run.student && run.teacher != nullptr)
    network.output_width = run.teacher->text().hidden_size;
  return static_cast<double>(num_parameters(network, model.text()));
}

TrainedValues trained_values(const PlannedRun& run, StepKind step) {
  const auto settings = settings_of(run.config, step);
  TrainedValues trained;
  for (const auto& part : settings.train) {
    if (part == "lora") {
      trained.adapters = adapter_values(run);
    } else {
      trained.base += run.student.part(part).values;
    }
  }
  if (is_verbalization(step) || (step == StepKind::kInteract && !run.config.interact.head)) {
    const auto& model = step == StepKind::kVerbalizeTeacher ? *run.teacher : run.student;
    trained.verbalizers = verbalizer_values(run, model) * static_cast<double>(settings.layers.size());
  }
  return trained;
}

Cost divergence_cost(const PlannedRun& run, double num_rows) {
  const auto& interact = run.config.interact;
  if (interact.last_loss != LossKind::kDivergence || run.teacher == nullptr) return {};
  const auto &student = run.student.text(), &teacher = run.teacher->text();
  const auto vocab_size = static_cast<double>(std::min(student.vocab_size, teacher.vocab_size));
  return interact.last_loss.divergence().cost(
      {num_rows, vocab_size, static_cast<double>(student.hidden_size), static_cast<double>(teacher.hidden_size)},
      interact.divergence);
}

bool step_runs_teacher(const PlannedRun& run, StepKind step) {
  return run.teacher != nullptr && runs_teacher(run.config, step);
}

}  // namespace vlsi
