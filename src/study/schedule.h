// Tasks that feed each other, side by side within cores and memory.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

namespace vlsi {

enum class TaskState {
  kWaiting,  // for its inputs, or for room
  kRunning,
  kDone,
  kFailed,
  kBlocked,  // one of its inputs failed, or is blocked itself
};

struct Task {
  std::vector<size_t> inputs = {};  // tasks of smaller numbers
  int64_t threads = 1;
  bool is_done = false;  // before anything starts
};

/// Where tasks run.
class TaskRunner {
 public:
  virtual ~TaskRunner() = default;
  /// What the task will take; asked once its inputs are done.
  virtual double memory_bytes(size_t task) = 0;
  virtual void start(size_t task) = 0;
  struct End {
    size_t task;
    bool is_good;
  };
  /// Those that have ended since the last call; waits for a short time where none has.
  virtual std::vector<End> wait() = 0;
  /// Asks all running tasks to stop. They still end.
  virtual void stop() = 0;
};

struct CoresAndMemory {
  int64_t cores = 1;
  double memory_bytes = 0;
};

/// Runs the tasks: of those whose inputs are done and that fit beside the running ones, first those with the longest
/// chain of tasks behind them. A task that does not fit at all runs alone. When one fails the others go on. When
/// `wants_stop` becomes true the running ones are asked to stop, once, and no other is started. `changed` is called
/// after every change of a state. Returns the states at the end, in which none is kRunning; stopped tasks are kWaiting.
std::vector<TaskState> run_tasks(const std::vector<Task>& tasks, const CoresAndMemory& room, TaskRunner& runner,
                                 const std::function<bool()>& wants_stop,
                                 const std::function<void(const std::vector<TaskState>&)>& changed);

}  // namespace vlsi
