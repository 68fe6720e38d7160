// The data that a step trains on: loaders over them, and how many iterations their epochs are.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "data/loader.h"
#include "run/steps.h"

namespace vlsi {

/// The data that a step trains on.
struct TrainingData {
  std::vector<FileFingerprint> files;
  /// Loaders over it, in the order that the seed and the step determine. A start behind the end of an epoch, in files
  /// that have become shorter, is the next epoch's.
  std::function<std::unique_ptr<Loader>(Cursor, const BatchShare&)> open;
};

/// Opens it. The processors of `maker` and `open` itself must outlive the loaders. `announce` is LoaderConfig's.
TrainingData open_training_data(const RunConfig& config, StepKind step, const SampleMaker& maker,
                                std::function<void(const Sample&)> announce = {});

/// How many iterations of `accumulate` batches for each of `num_ranks` go through the data of `step` as often as its
/// `epochs` (above 0) say; at least 1. Counted by packing the step's own batches, up to 1,024 records; where the epochs
/// are longer, those records tell how many a batch holds. A function of the arguments and the data alone. Errors are
/// those of Loader.
int64_t iterations_of_epochs(const RunConfig& config, StepKind step, const SampleMaker& maker, int64_t num_ranks);

}  // namespace vlsi
