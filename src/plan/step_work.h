// The work of one iteration of a step: products and reading.
#pragma once

#include "plan/step_memory.h"

namespace vlsi {

/// Multiplications and additions of matrix products, by the dtype of their factors; attention included.
struct StepWork {
  double model_flops = 0;    // in the run's dtype: decoders, towers, language heads
  double float32_flops = 0;  // verbalizers, a divergence at the last layer
  double read_bytes = 0;     // of a streamed teacher's files
};

/// Of one rank. Pictures are looked at, as in a first epoch.
StepWork step_work(const PlannedRun& run, StepKind step, const DataShape& data);

}  // namespace vlsi
