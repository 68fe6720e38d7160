#include "study/schedule.h"

#include <algorithm>
#include <numeric>
#include <optional>

namespace vlsi {
namespace {

class Scheduler {
 public:
  Scheduler(const std::vector<Task>& tasks, const CoresAndMemory& room, TaskRunner& runner)
      : tasks_(tasks), room_(room), runner_(runner), states_(tasks.size(), TaskState::kWaiting), needs_(tasks.size()) {
    std::vector<size_t> chains(tasks.size(), 0);  // tasks behind each, one after the other
    for (size_t i = tasks.size(); i-- > 0;) {
      if (tasks[i].is_done) states_[i] = TaskState::kDone;
      for (const size_t input : tasks[i].inputs) chains[input] = std::max(chains[input], chains[i] + 1);
    }
    order_.resize(tasks.size());
    std::iota(order_.begin(), order_.end(), size_t{0});
    std::stable_sort(order_.begin(), order_.end(), [&](size_t a, size_t b) { return chains[a] > chains[b]; });
  }

  const std::vector<TaskState>& states() const { return states_; }
  bool is_running() const { return num_running_ > 0; }

  /// Starts one more task if there is one that fits.
  bool start_one() {
    for (const size_t task : order_) {
      if (states_[task] != TaskState::kWaiting || !has_inputs(task) || !fits(task)) continue;
      runner_.start(task);
      states_[task] = TaskState::kRunning;
      ++num_running_;
      cores_ += tasks_[task].threads;
      memory_ += *needs_[task];
      return true;
    }
    return false;
  }

  void end(const TaskRunner::End& end, bool is_stopping) {
    --num_running_;
    cores_ -= tasks_[end.task].threads;
    memory_ -= *needs_[end.task];
    states_[end.task] = end.is_good ? TaskState::kDone : is_stopping ? TaskState::kWaiting : TaskState::kFailed;
    for (size_t i = end.task + 1; i < tasks_.size(); ++i) {
      if (states_[i] != TaskState::kWaiting) continue;
      const auto is_lost = [&](size_t input) {
        return states_[input] == TaskState::kFailed || states_[input] == TaskState::kBlocked;
      };
      if (std::any_of(tasks_[i].inputs.begin(), tasks_[i].inputs.end(), is_lost)) states_[i] = TaskState::kBlocked;
    }
  }

 private:
  bool has_inputs(size_t task) const {
    const auto& inputs = tasks_[task].inputs;
    return std::all_of(inputs.begin(), inputs.end(), [&](size_t input) { return states_[input] == TaskState::kDone; });
  }

  bool fits(size_t task) {
    if (num_running_ > 0 && cores_ + tasks_[task].threads > room_.cores) return false;
    if (!needs_[task]) needs_[task] = runner_.memory_bytes(task);
    return num_running_ == 0 || memory_ + *needs_[task] <= room_.memory_bytes;
  }

  const std::vector<Task>& tasks_;
  const CoresAndMemory& room_;
  TaskRunner& runner_;
  std::vector<TaskState> states_;
  std::vector<std::optional<double>> needs_;  // of memory
  std::vector<size_t> order_;
  int64_t num_running_ = 0, cores_ = 0;
  double memory_ = 0;
};

}  // namespace

std::vector<TaskState> run_tasks(const std::vector<Task>& tasks, const CoresAndMemory& room, TaskRunner& runner,
                                 const std::function<bool()>& wants_stop,
                                 const std::function<void(const std::vector<TaskState>&)>& changed) {
  Scheduler schedule(tasks, room, runner);
  bool is_stopping = false;
  for (;;) {
    if (!is_stopping && wants_stop()) {
      is_stopping = true;
      runner.stop();
    }
    while (!is_stopping && schedule.start_one()) changed(schedule.states());
    if (!schedule.is_running()) return schedule.states();
    for (const auto& end : runner.wait()) {
      schedule.end(end, is_stopping);
      changed(schedule.states());
    }
  }
}

}  // namespace vlsi
