// Something that changes the samples of an iteration before they are trained on.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/json.h"
#include "data/batch.h"
#include "train/metrics.h"

namespace vlsi {

/// What became of micro-batches.
struct Rewritten {
  std::vector<Batch> batches;         // perhaps another number of them; their losses are taken in this order
  std::map<std::string, Mean> means;  // for the log
  OrderedJson news = nullptr;         // for `remember` of every rank; null: nothing
};

class Rewriting {
 public:
  virtual ~Rewriting() = default;
  /// Of this rank's micro-batches of iteration number `iteration`, from 1, on the CPU. A micro-batch becomes the same
  /// whatever is beside it, but for what is remembered. Nothing when an interrupt came first.
  virtual std::optional<Rewritten> rewrite(int64_t iteration, const std::vector<Batch>& batches) = 0;
  /// Adds what ranks, or a checkpoint's `memory`, tell. Error naming `place` where it cannot be of this step.
  virtual void remember(const Json& news, const std::string& place) = 0;
  /// All that is remembered, for a checkpoint; null: nothing.
  virtual OrderedJson memory() const = 0;
};

}  // namespace vlsi
