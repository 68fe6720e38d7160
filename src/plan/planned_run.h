// A run as its plan counts it: which models, what learns, and how many micro-batches.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

#include "model/cost.h"
#include "plan/model_sizes.h"
#include "run/steps.h"

namespace vlsi {

/// What the formulas read. All of it outlives them.
struct PlannedRun {
  const RunConfig& config;
  at::ScalarType dtype;
  const ModelSizes& student;
  const ModelSizes* teacher;        // null for a run that loads none
  double given_adapter_values = 0;  // of student.adapter
  double program_bytes = 0;         // of the program with its libraries and tokenizers, before any weight is read
  int64_t num_ranks = 1;            // that train together
  double ranks_at_start = 0;        // of a run that is continued on another number of them; else 0
};

/// Micro-batches of an iteration of `step`: of all ranks, and the most that one of them takes.
double num_micro_batches(const PlannedRun& run, StepKind step);
double micro_batches_of_a_rank(const PlannedRun& run, StepKind step);

/// Values that learn in `step`, beside base weights in the run's dtype and in float32.
struct TrainedValues {
  double base = 0;                       // weights of the model, in the run's dtype
  double adapters = 0, verbalizers = 0;  // in float32
  double all() const { return base + adapters + verbalizers; }
};
TrainedValues trained_values(const PlannedRun& run, StepKind step);
/// Of all the student's adapters, whether they learn or not.
double adapter_values(const PlannedRun& run);
/// Of one verbalizer of `model`; of the student's, where it has no head, the one that ends in the teacher's width.
double verbalizer_values(const PlannedRun& run, const ModelSizes& model);

/// Of the student, what the interaction trains and the fine-tuning does not: it is carried in the latter's checkpoints.
TrainedValues carried_values(const PlannedRun& run);

/// How many layers' rows of an answer position the interaction's losses take through what.
struct InteractionRows {
  double student_verbalized = 0, teacher_verbalized = 0;  // a verbalizer
  double student_summarized = 0, teacher_summarized = 0;  // the vocabulary; of the teacher, by itself or in its cache
  double student_pulled = 0, teacher_pulled = 0;          // the Gram matrices of the heads
};
InteractionRows interaction_rows(const PlannedRun& run);

/// Of the interaction's squared differences of logits with their gradient, for `num_positions` answer positions;
/// nothing for its other losses.
Cost logit_l2_cost(const PlannedRun& run, double num_positions);
/// Of the interaction's divergence at the last layer, for `num_rows` answer positions; nothing for its other losses.
Cost divergence_cost(const PlannedRun& run, double num_rows);

/// Whether `step` runs the teacher, in a run that has found its model.
bool step_runs_teacher(const PlannedRun& run, StepKind step);

}  // namespace vlsi
