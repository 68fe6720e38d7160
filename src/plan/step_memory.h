// The memory of each step of a run, part by part: every formula of `vlsi plan`.
#pragma once

#include <string>
#include <vector>

#include "plan/data_shape.h"
#include "plan/planned_run.h"

namespace vlsi {

struct MemoryPart {
  std::string name;
  double bytes = 0;
};

/// The largest memory of the run's device in `step`, of one of the ranks; on a CPU the process's resident memory, pages
/// of weight files included: the same parts in the same order for every step.
std::vector<MemoryPart> step_memory(const PlannedRun& run, StepKind step, const DataShape& data, double iterations);

/// Their sum.
double total_bytes(const std::vector<MemoryPart>& parts);

}  // namespace vlsi
