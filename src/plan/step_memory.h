// The memory of each step of a run, part by part: every formula of `vlsi plan`.
#pragma once

#include <ATen/core/Tensor.h>

#include <optional>
#include <string>
#include <vector>

#include "method/config.h"
#include "plan/data_shape.h"
#include "plan/model_sizes.h"

namespace vlsi {

struct MemoryPart {
  std::string name;
  double bytes = 0;
};

/// What the formulas read. All of it outlives them.
struct PlannedRun {
  const RunConfig& config;
  at::ScalarType dtype;
  const ModelSizes& student;
  const ModelSizes* teacher;         // null for a run that loads none
  double given_adapter_values = 0;   // of student.adapter
  double program_bytes = 0;          // of the program with its libraries and tokenizers, before any weight is read
  int64_t num_ranks = 1;             // that hold a sharded teacher together
};

/// Values that learn in `step`, beside base weights in the run's dtype and in float32.
struct TrainedValues {
  double base = 0;                         // weights of the model, in the run's dtype
  double adapters = 0, verbalizers = 0;    // in float32
  double all() const { return base + adapters + verbalizers; }
};
TrainedValues trained_values(const PlannedRun& run, const std::string& step);
/// Of all the student's adapters, whether they learn or not.
double adapter_values(const PlannedRun& run);
/// Of one verbalizer of `model`; of the student's, where it has no head, the one that ends in the teacher's width.
double verbalizer_values(const PlannedRun& run, const ModelSizes& model);

/// Whether `step` of a run of `config` reads the teacher, as a model; and whether one does whose teacher was found.
bool wants_teacher(const RunConfig& config, const std::string& step);
bool step_runs_teacher(const PlannedRun& run, const std::string& step);

/// The largest resident memory of the process in `step`, pages of weight files included, on a CPU: the same parts in the same order for
/// every step.
std::vector<MemoryPart> step_memory(const PlannedRun& run, const std::string& step, const DataShape& data, double iterations);

/// Their sum.
double total_bytes(const std::vector<MemoryPart>& parts);

}  // namespace vlsi
