// The training loop: batches in, gradients, updates, metrics, checkpoints. It knows no step of the method.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/random.h"
#include "base/settings.h"
#include "data/loader.h"
#include "objective/finite.h"
#include "train/metrics.h"
#include "train/optimizer.h"
#include "train/rewriting.h"
#include "train/run_directory.h"

namespace vlsi {

struct CheckpointConfig {
  int64_t every = 500;
  int64_t keep = 2;
};

template <class Visitor>
void fields(Visitor& v, CheckpointConfig& c) {
  v("every", c.every, "iterations between checkpoints; one is written at the end of each step, too");
  v("keep", c.keep, "newest checkpoints kept");
}

/// What a step says of one micro-batch.
struct StepOutput {
  at::Tensor loss;  // scalar: weighted sum over the micro-batch's answers; with gradient, where it reaches what learns
  std::map<std::string, Mean> means;          // for the log, averaged over the iteration
  OrderedJson lists = OrderedJson::object();  // {name: list}, for the log, joined over the iteration
  std::vector<PendingCheck> checks = {};      // of values on a device; looked at once an iteration
};

/// One step of the method, as the trainer sees it.
struct TrainingStep {
  std::string name;  // as in metrics and checkpoints
  std::function<StepOutput(const Batch&)> loss;
  /// Called with an iteration's number, from 0, before anything else of it; may be none.
  std::function<void(int64_t)> begin;
  /// Called with all micro-batches of an iteration, on the CPU, before the loss of the first; may be none.
  std::function<void(const std::vector<Batch>&)> prepare;  // with several ranks: of this rank's
  /// Called with the micro-batches from the first one on, on the CPU, before anything is trained on them; each until it
  /// returns true.
  std::vector<std::function<bool(const Batch&)>> checks;
  NamedTensors parameters;  // what learns
  NamedTensors carried;     // what earlier steps changed and this one does not: part of its checkpoints
  int64_t iterations = 0;
  const FoundCheckpoint* resumed = nullptr;  // the run's checkpoint, where that is of this step
  OptimizerConfig optimizer;
  std::function<std::unique_ptr<Loader>(Cursor, const BatchShare&)> open_data;
  std::vector<FileFingerprint> data = {};  // of the files behind open_data
  bool data_may_differ = false;            // from those of `resumed`; the cursor then counts in other records
  Random* random = nullptr;                // the step's generator, if it draws
  int64_t draws = 0;                       // how many numbers the loss of every micro-batch draws from it
  Rewriting* rewriting = nullptr;          // changes what the losses are taken of; null: they are of the data
  std::string sparse_metric;               // a mean that is logged every `sparse_every` iterations only
  int64_t sparse_every = 1;
};

enum class Outcome { kFinished, kInterrupted };

/// Trains `step` to its end, from `step.resumed` on where there is one. An iteration's loss is the
/// weighted sum over all its answer positions divided by the sum of their weights, whatever the micro-batches. Writes a
/// checkpoint at the end, every `checkpoint.every` iterations, and on an interrupt; then the outcome is kInterrupted.
/// Error when the loss is not finite. `finished_before`: iterations of the run's earlier steps.
///
/// With several ranks (the run's) an iteration is of `accumulate` micro-batches for each rank that the run began with,
/// and each rank takes a run of them: what comes out is what one rank gives, up to the rounding of sums, on any number
/// of ranks. An interrupt of one rank is one of all. Error when the ranks do not read the same data.
Outcome train(TrainingStep& step, RunDirectory& run, const CheckpointConfig& checkpoint, int64_t finished_before,
              at::Device device);

}  // namespace vlsi
