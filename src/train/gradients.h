// The gradients of an iteration: added up over its backward passes, then over the ranks while the last pass goes on.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <optional>
#include <vector>

#include "ranks/ranks.h"
#include "ranks/share_sums.h"
#include "train/gradient_hooks.h"

namespace vlsi {

/// Gradients are float32, whatever their parameters; a parameter that no backward pass reached has none.
///
/// Which parameters an iteration reaches is known when all ranks are through with it. So the sums of those that some
/// rank reached in the iteration before, the expected ones, start while the last backward pass goes on, from the last
/// parameter to the first, which is about the order in which their gradients come; others follow behind it. An expected
/// one that nobody reached is left out again.
class Gradients {
 public:
  /// Parameters are contiguous. `ranks` outlives it.
  Gradients(std::vector<at::Tensor> parameters, const Ranks& ranks, int64_t at_once = kExchangedAtOnce);

  /// Takes over the gradients of one backward pass.
  void collect();
  /// The next backward pass is this rank's last of the iteration: sums start from now on. Every rank must be sure to go
  /// on to start_sums(), and has no other exchange before it.
  void expect_last_backward();
  /// Starts the sums that have not started: the last backward pass is over, or there was none. Exchanges of other
  /// things may follow.
  void start_sums();
  /// For each parameter this rank's share of the sum over all ranks, flat (shares.h); undefined where no rank has a
  /// gradient. The gradients are gone then. With several ranks an exchange; begins with start_sums() where that was
  /// left out.
  std::vector<at::Tensor> sum_to_shares();
  /// Forgets the gradients. None may be under way.
  void clear();

 private:
  void collect(size_t index);
  /// Opens the sums of the expected parameters.
  void open_sums();
  /// A parameter's gradient, which is gone here then.
  at::Tensor take(size_t index);
  /// Adds an expected parameter's gradient to the sums.
  void send(size_t index);
  /// Whether some rank had a gradient, by parameter.
  std::vector<bool> used() const;

  const std::vector<at::Tensor> parameters_;
  const Ranks& ranks_;
  const int64_t at_once_;
  std::vector<at::Tensor> gradients_;  // undefined without one, or when it was sent
  std::vector<bool> is_sent_;
  std::vector<size_t> expected_;              // in the order of their sums
  std::vector<std::optional<size_t>> place_;  // of a parameter in expected_
  std::optional<ShareSums> sums_;
  std::optional<GradientHooks> hooks_;
};

}  // namespace vlsi
