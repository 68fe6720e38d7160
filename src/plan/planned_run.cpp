#include "plan/planned_run.h"

#include <algorithm>
#include <cmath>

#include "base/contains.h"

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

TrainedValues carried_values(const PlannedRun& run) {
  TrainedValues carried;
  if (run.config.interact.iterations == 0) return carried;
  for (const auto& part : run.config.interact.train) {
    if (contains(run.config.finetune.train, part)) continue;
    if (part == "lora") {
      carried.adapters = adapter_values(run);
    } else {
      carried.base += run.student.part(part).values;
    }
  }
  return carried;
}

InteractionRows interaction_rows(const PlannedRun& run) {
  const auto& interact = run.config.interact;
  const auto of_student = static_cast<double>(run.config.student.layers.size()),
             of_teacher = static_cast<double>(run.config.teacher.layers.size());
  const LossKind layers = interact.intermediate_loss, last = interact.last_loss;
  InteractionRows rows;
  if (layers != LossKind::kNone) rows.student_verbalized = of_student;
  const bool compares_layers = layers == LossKind::kKl || layers == LossKind::kL2;
  if (compares_layers && step_runs_teacher(run, StepKind::kInteract)) rows.teacher_verbalized = of_teacher;
  if (layers == LossKind::kKl || last == LossKind::kKl) {  // the last layer's is there whatever its own loss is
    rows.student_summarized = 1 + (layers == LossKind::kKl ? of_student : 0);
    rows.teacher_summarized = 1 + (layers == LossKind::kKl ? of_teacher : 0);
  }
  if (layers == LossKind::kCrossEntropy) rows.student_summarized += of_student;
  if (last == LossKind::kCrossEntropy || last == LossKind::kDivergence) rows.student_summarized += 1;
  if (layers == LossKind::kL2 && interact.head) {
    rows.student_pulled = of_student;
    rows.teacher_pulled = of_teacher;
  }
  if (last == LossKind::kL2) {
    rows.student_pulled += 1;
    rows.teacher_pulled += 1;
  }
  return rows;
}

Cost logit_l2_cost(const PlannedRun& run, double num_positions) {
  if (run.teacher == nullptr) return {};
  const auto rows = interaction_rows(run);
  const double student = rows.student_pulled * num_positions, teacher = rows.teacher_pulled * num_positions;
  const auto student_width = static_cast<double>(run.student.text().hidden_size),
             teacher_width = static_cast<double>(run.teacher->text().hidden_size);
  Cost cost;
  // u G and its product with u, and the gradient of u G; of the teacher, the pulled rows and the first two.
  cost.working_floats = student * 3 * student_width + teacher * (student_width + 2 * teacher_width);
  cost.operations =
      4 * student * student_width * student_width + 2 * teacher * teacher_width * (student_width + teacher_width);
  return cost;
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
