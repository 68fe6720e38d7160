// Ranks as processes that a launcher starts, on one machine or several: Gloo between CPUs, NCCL between GPUs.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "ranks/launch.h"
#include "ranks/ranks.h"

namespace vlsi {

/// The ranks of a launch. While they live, a rank that fails or ends makes every exchange of the others throw, within
/// seconds, or within half a minute where only its silence tells.
class ProcessRanks : public Ranks {
 public:
  using Ranks::Ranks;

  /// Tells the others that this rank stops, and why.
  virtual void report_failure(const std::string& message) = 0;
  /// The good end: waits for all ranks. Nothing may be exchanged afterwards.
  virtual void finish() = 0;
};

/// Waits until all ranks are there, 5 minutes at most; then, or when an interrupt comes first, a RanksError. `device`
/// is the configuration's: exchanges of tensors on a GPU need one.
std::unique_ptr<ProcessRanks> join_ranks(const Launch& launch, at::Device device);

/// Runs `action` as one of the ranks that the launcher has started, or as one_rank() without a launcher. Ranks behind
/// the first log nothing but warnings.
int run_as_rank(at::Device device, const std::function<int(const Ranks&)>& action);

/// Runs `action` as the rank that `launch` describes. An exception stops the other ranks, too, and its message, of one
/// line, names this rank: what is wrong with the input, a file that cannot be used among it, stays an Error, all else
/// is a runtime_error.
int run_as_rank(const Launch& launch, at::Device device, const std::function<int(const Ranks&)>& action);

}  // namespace vlsi
