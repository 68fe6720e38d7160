#include "train/trainer.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <chrono>
#include <cmath>
#include <utility>
#include <vector>

#include "base/error.h"
#include "train/interrupt.h"
#include "train/progress.h"

namespace vlsi {
namespace {

/// The moving parts of one step's training.
class Training {
 public:
  Training(TrainingStep& step, RunDirectory& run, const CheckpointConfig& checkpoint, int64_t finished_before,
           at::Device device)
      : step_(step),
        run_(run),
        checkpoint_(checkpoint),
        finished_before_(finished_before),
        device_(device),
        optimizer_(step.parameters, step.optimizer) {
    resume();
    loader_ = step_.open_data(cursor_);
  }

  Outcome run() {
    Progress progress(step_.name, "iterations", step_.iterations, iteration_);
    while (iteration_ < step_.iterations) {
      if (!run_iteration()) {
        save();
        return Outcome::kInterrupted;
      }
      progress.update(iteration_, concat("loss ", loss_));
      if (iteration_ % checkpoint_.every == 0 || iteration_ == step_.iterations) save();
    }
    report_skipped(loader_->skipped(), step_.name);
    return Outcome::kFinished;
  }

 private:
  void resume() {
    const auto& found = run_.checkpoint();
    if (!found || found->state.step != step_.name) return;
    found->check_is(state());
    optimizer_.load_state(*found);
    at::NoGradGuard no_grad;
    for (auto& [name, tensor] : step_.carried) {
      tensor.set_data(found->tensor("carried." + name, tensor));
    }
    iteration_ = found->state.iteration;
    cursor_ = found->state.cursor;
    if (step_.random != nullptr && !step_.random->restore(found->state.random)) {
      fail("resuming from ", found->path.string(), ": its generator's state is damaged");
    }
  }

  /// One optimizer step; false when an interrupt came first, with the state as it was before the iteration.
  bool run_iteration() {
    const auto random_before = step_.random != nullptr ? step_.random->state() : std::string();
    std::vector<Batch> batches;
    int64_t num_answers = 0, num_tokens = 0;
    for (int64_t i = 0; i < step_.optimizer.accumulate; ++i) {
      batches.push_back(loader_->next());
      num_answers += batches.back().num_answers();
      num_tokens += batches.back().num_tokens();
    }
    if (const auto check = std::exchange(step_.check, nullptr)) check(to_device(batches.front(), device_));

    if (step_.prepare) step_.prepare(batches);
    MetricSums sums;
    OrderedJson lists = OrderedJson::object();
    for (auto& batch : batches) {
      if (interrupted()) {
        optimizer_.clear_gradients();
        if (step_.random != nullptr) step_.random->restore(random_before);
        return false;
      }
      const int64_t batch_answers = batch.num_answers();
      auto output = step_.loss(to_device(std::move(batch), device_));
      (output.loss / static_cast<double>(num_answers)).backward();
      optimizer_.collect_gradients();
      sums.add("loss", {output.loss, batch_answers});
      for (const auto& [name, mean] : output.means) sums.add(name, mean);
      for (const auto& [name, list] : output.lists.items()) {
        for (const auto& item : list) lists[name].push_back(item);
      }
    }
    const double rate = learning_rate(step_.optimizer, iteration_, step_.iterations);
    auto means = sums.means();
    if (!means["loss"].is_number()) {
      fail(step_.name, ": the loss of iteration ", iteration_ + 1, " is not finite; lower the learning rate (it is ", rate,
           ") or look for broken samples");
    }
    const double norm = optimizer_.step(rate);
    if (!std::isfinite(norm)) {
      fail(step_.name, ": the gradient of iteration ", iteration_ + 1, " is not finite; lower the learning rate (it is ", rate, ")");
    }
    cursor_ = loader_->cursor();
    ++iteration_;
    loss_ = means["loss"].get<double>();
    log(std::move(means), std::move(lists), rate, norm, num_answers, num_tokens);
    return true;
  }

  void log(OrderedJson means, OrderedJson lists, double rate, double norm, int64_t num_answers, int64_t num_tokens) {
    if (iteration_ != 1 && iteration_ % step_.sparse_every != 0) means.erase(step_.sparse_metric);
    OrderedJson line{{"step", step_.name}, {"iteration", iteration_}, {"loss", means["loss"]}, {"learning_rate", rate},
                     {"gradient_norm", norm}, {"answer_tokens", num_answers}, {"tokens", num_tokens}};
    line.update(means);
    line.update(lists);
    line["seconds"] = std::chrono::duration<double>(Clock::now() - started_).count();
    run_.metrics().append(line);
  }

  /// What a checkpoint holds.
  NamedTensors state() const {
    auto tensors = optimizer_.state();
    for (const auto& [name, tensor] : step_.carried) tensors.emplace_back("carried." + name, tensor);
    return tensors;
  }

  void save() {
    run_.write_checkpoint({step_.name, iteration_, finished_before_ + iteration_, cursor_,
                           step_.random != nullptr ? step_.random->state() : "", 0},
                          state(), checkpoint_.keep);
  }

  using Clock = std::chrono::steady_clock;
  TrainingStep& step_;
  RunDirectory& run_;
  const CheckpointConfig& checkpoint_;
  const int64_t finished_before_;
  const at::Device device_;
  AdamW optimizer_;
  std::unique_ptr<Loader> loader_;
  Cursor cursor_;
  int64_t iteration_ = 0;
  double loss_ = 0;
  Clock::time_point started_ = Clock::now();
};

}  // namespace

Outcome train(TrainingStep& step, RunDirectory& run, const CheckpointConfig& checkpoint, int64_t finished_before,
              at::Device device) {
  return Training(step, run, checkpoint, finished_before, device).run();
}

}  // namespace vlsi
