// A whole run: verbalize both models, let the student interact with the teacher, fine-tune it, write the result.
#pragma once

#include <vector>

#include "ranks/ranks.h"
#include "run/steps.h"

namespace vlsi {

struct DistillOptions {
  std::vector<StepKind> among = steps_by_choice();
  bool resume = false;
  bool data_may_differ = false;  // from what they were at the checkpoint that the run goes on from
};

/// Runs the steps of `config` (checked by check()) in config.out: student-verbalizers/, teacher-verbalizers/,
/// metrics.jsonl, checkpoints/, summary.json, and model/, the student as a Hugging Face directory. kInterrupted after
/// Ctrl-C, with a checkpoint to resume from. All `ranks` call it; the first writes.
Outcome distill(const RunConfig& config, const DistillOptions& options, const Ranks& ranks = one_rank());

}  // namespace vlsi
