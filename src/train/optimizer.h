// AdamW over float32 master weights, gradient clipping, and the learning rate of each iteration.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "base/safetensors.h"
#include "base/safetensors_writer.h"
#include "base/settings.h"
#include "ranks/ranks.h"
#include "train/adamw_update.h"
#include "train/gradients.h"
#include "train/run_directory.h"

namespace vlsi {

enum class Schedule { kCosine, kConstant };

template <>
struct EnumNames<Schedule> {
  static constexpr EnumName<Schedule> all[]{{"cosine", Schedule::kCosine}, {"constant", Schedule::kConstant}};
};

struct OptimizerConfig {
  double learning_rate = 1e-4;
  double final_learning_rate = 1e-6;
  Schedule schedule = Schedule::kCosine;
  double warmup = 0.03;
  std::vector<double> betas{0.9, 0.999};
  double eps = 1e-8;
  double weight_decay = 0.0;
  double clip_norm = 1.0;
  int64_t accumulate = 16;
};

template <class Visitor>
void fields(Visitor& v, OptimizerConfig& c) {
  v("learning_rate", c.learning_rate, "peak of the schedule");
  v("final_learning_rate", c.final_learning_rate, "floor of the cosine");
  v("schedule", c.schedule, "of the learning rate behind the warm-up");
  v("warmup", c.warmup, "share of the iterations in which the rate rises linearly");
  v("betas", c.betas, "AdamW's decay of the first and second moment");
  v("eps", c.eps, "AdamW's epsilon");
  v("weight_decay", c.weight_decay, "decoupled, on every trained tensor");
  v("clip_norm", c.clip_norm, "largest norm of the whole gradient; 0 is off");
  v("accumulate", c.accumulate, "micro-batches an optimizer step");
}

/// Error naming `place` and the key, below `key`, for values that no run can use (rates that are not positive, betas
/// outside 0..1, ...).
void check(const OptimizerConfig& config, const std::string& key, const std::string& place);

/// The learning rate of `iteration` (from 0) of `iterations`. With w = round(warmup * iterations):
///     iteration < w:  peak (iteration + 1) / w
///     cosine:         floor + (peak - floor) (1 + cos(pi (iteration - w) / (iterations - w))) / 2
double learning_rate(const OptimizerConfig& config, int64_t iteration, int64_t iterations);

/// AdamW as torch.optim.AdamW. Parameters that are not float32 get a float32 master copy; their gradients are summed in
/// float32 and the parameter is the master, rounded. A parameter without a gradient in a step is left alone.
///
/// With several ranks the gradient is the sum of theirs, and each rank keeps masters and moments of its share of every
/// parameter alone (shares.h), updates it, and gets the others' shares of the new parameters from them.
class AdamW {
 public:
  /// Parameters are contiguous. `ranks` outlives it. Exchanges move `at_once` values.
  AdamW(NamedTensors parameters, const OptimizerConfig& config, const Ranks& ranks = one_rank(),
        int64_t at_once = kExchangedAtOnce);
  AdamW(const AdamW&) = delete;
  AdamW& operator=(const AdamW&) = delete;

  /// As Gradients: takes over the gradients of one backward pass; the next one is the last before step(), and the ranks
  /// add up while it goes on; it is over; forgets what was collected.
  void collect_gradients() { gradients_.collect(); }
  void expect_last_backward() { gradients_.expect_last_backward(); }
  void start_sums() { gradients_.start_sums(); }
  void clear_gradients() { gradients_.clear(); }
  /// Clips the collected gradient, updates the parameters, clears the gradient. Returns its norm before clipping.
  double step(double learning_rate);

  /// Masters and moments by name (`parameter.X`, `exp_avg.X`, `exp_avg_sq.X`, `steps.X`), and back: the same for any
  /// number of ranks. Making a source's tensor is an exchange, which every rank takes part in, in one order.
  /// Errors of `load_state` are those of FoundCheckpoint::check_has.
  std::vector<TensorSource> state() const;
  void load_state(const FoundCheckpoint& checkpoint);

 private:
  struct Entry {
    std::string name;
    at::Tensor parameter;
    at::Tensor master, exp_avg, exp_avg_sq;  // float32, flat: this rank's share
    at::Tensor steps;

    bool has_master() const { return !master.is_alias_of(parameter); }
  };

  /// This rank's share of the parameter itself, flat.
  at::Tensor share_of(const at::Tensor& parameter) const;
  /// Rounds the masters into their parameters, everywhere.
  void publish(const std::vector<Entry*>& entries) const;
  /// Of the whole gradient, of which `mine` is this rank's share.
  double whole_norm(double mine) const;

  /// What the gradient is multiplied by so that its norm is at most clip_norm.
  double clip_scale(double norm) const;
  /// Both clip, update and return the norm before: contiguous tensors on the CPU, and any others.
  double step_plain(const std::vector<AdamwTensors>& all, double rate) const;
  double step_on_device(const std::vector<AdamwTensors>& all, double rate) const;

  std::vector<Entry> entries_;
  OptimizerConfig config_;
  const Ranks& ranks_;
  const int64_t at_once_;
  Gradients gradients_;
};

}  // namespace vlsi
