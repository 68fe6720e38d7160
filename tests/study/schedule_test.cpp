// The scheduling of tasks, with tasks whose time is counted.
#include "study/schedule.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <set>

#include "base/random.h"

namespace vlsi::schedule_test {
namespace {

struct Work {
  double memory = 0;
  int64_t ticks = 1;  // calls of wait until it ends
  bool fails = false;
};

/// Checks on the way that inputs are done, and that cores and memory are enough.
class CountedRunner : public TaskRunner {
 public:
  CountedRunner(const std::vector<Task>& tasks, std::vector<Work> work, CoresAndMemory room)
      : tasks_(tasks), work_(std::move(work)), room_(room) {
    for (size_t i = 0; i < tasks.size(); ++i) {
      if (tasks[i].is_done) done_.insert(i);
    }
  }

  double memory_bytes(size_t task) override {
    expect_inputs(task);
    return work_[task].memory;
  }
  void start(size_t task) override {
    expect_inputs(task);
    EXPECT_FALSE(done_.contains(task) || running_.contains(task)) << task;
    started_.push_back(task);
    running_[task] = work_[task].ticks;
    int64_t cores = 0;
    double memory = 0;
    for (const auto& [other, left] : running_) cores += tasks_[other].threads, memory += work_[other].memory;
    EXPECT_TRUE(running_.size() == 1 || (cores <= room_.cores && memory <= room_.memory_bytes));
    most_ = std::max(most_, running_.size());
  }
  std::vector<End> wait() override {
    ++ticks_;
    std::vector<End> ends;
    for (auto& [task, left] : running_) {
      busy_ += tasks_[task].threads;
      if (--left > 0 && !is_stopped_) continue;
      const bool good = !work_[task].fails && left <= 0;
      ends.push_back({task, good});
      if (good) done_.insert(task);
    }
    for (const auto& end : ends) running_.erase(end.task);
    return ends;
  }
  void stop() override {
    EXPECT_FALSE(is_stopped_) << "stopped twice";
    is_stopped_ = true;
  }

  std::vector<size_t> started_;
  size_t most_ = 0;
  int64_t ticks_ = 0, busy_ = 0;

 private:
  void expect_inputs(size_t task) const {
    for (const size_t input : tasks_[task].inputs) EXPECT_TRUE(done_.contains(input)) << task << " before " << input;
  }

  const std::vector<Task>& tasks_;
  const std::vector<Work> work_;
  const CoresAndMemory room_;
  std::map<size_t, int64_t> running_;
  std::set<size_t> done_;
  bool is_stopped_ = false;
};

std::vector<TaskState> run(
    const std::vector<Task>& tasks, CountedRunner& runner, CoresAndMemory room,
    const std::function<bool()>& wants_stop = [] { return false; }) {
  return run_tasks(tasks, room, runner, wants_stop, [](const auto&) {});
}

constexpr auto kDone = TaskState::kDone, kFailed = TaskState::kFailed, kBlocked = TaskState::kBlocked,
               kWaiting = TaskState::kWaiting;

TEST(Schedule, RunsSideBySideWhatFitsIntoCores) {
  const std::vector<Task> tasks{{{}, 1}, {{}, 1}, {{}, 2}, {{}, 1}};
  const CoresAndMemory room{2, 100};
  CountedRunner runner(tasks, {{}, {}, {}, {}}, room);
  EXPECT_EQ(run(tasks, runner, room), std::vector<TaskState>(4, kDone));
  EXPECT_EQ(runner.most_, 2U);
  EXPECT_EQ(runner.ticks_, 3);
}

TEST(Schedule, RunsAloneWhatNeedsTooMuch) {
  const std::vector<Task> tasks{{{}, 8}, {{}, 1}, {{}, 1}};
  const CoresAndMemory room{2, 10};
  CountedRunner runner(tasks, {{1}, {20}, {9}}, room);
  EXPECT_EQ(run(tasks, runner, room), std::vector<TaskState>(3, kDone));
  EXPECT_EQ(runner.most_, 1U);
}

TEST(Schedule, KeepsMemoryWithinItsRoom) {
  const std::vector<Task> tasks{{{}, 1}, {{}, 1}, {{}, 1}};
  const CoresAndMemory room{3, 10};
  CountedRunner runner(tasks, {{6}, {6}, {4}}, room);
  run(tasks, runner, room);
  EXPECT_EQ(runner.started_, (std::vector<size_t>{0, 2, 1}));
}

TEST(Schedule, BeginsWithTheLongestChain) {
  const std::vector<Task> tasks{{{}, 1}, {{}, 1}, {{1}, 1}, {{2}, 1}};
  const CoresAndMemory room{1, 10};
  CountedRunner runner(tasks, {{}, {}, {}, {}}, room);
  run(tasks, runner, room);
  EXPECT_EQ(runner.started_, (std::vector<size_t>{1, 2, 0, 3}));
}

TEST(Schedule, LeavesOutWhatIsDone) {
  const std::vector<Task> tasks{{{}, 1, true}, {{0}, 1}};
  const CoresAndMemory room{1, 10};
  CountedRunner runner(tasks, {{}, {}}, room);
  EXPECT_EQ(run(tasks, runner, room), std::vector<TaskState>(2, kDone));
  EXPECT_EQ(runner.started_, std::vector<size_t>{1});
}

TEST(Schedule, GoesOnBesideAFailure) {
  const std::vector<Task> tasks{{{}, 1}, {{0}, 1}, {{1}, 1}, {{}, 1}, {{3}, 1}};
  const CoresAndMemory room{1, 10};
  CountedRunner runner(tasks, {{0, 1, true}, {}, {}, {}, {}}, room);
  EXPECT_EQ(run(tasks, runner, room), (std::vector<TaskState>{kFailed, kBlocked, kBlocked, kDone, kDone}));
}

TEST(Schedule, StopsOnceAndCountsStoppedTasksAsWaiting) {
  const std::vector<Task> tasks{{{}, 1}, {{}, 1}, {{0}, 1}};
  const CoresAndMemory room{2, 10};
  CountedRunner runner(tasks, {{0, 2}, {0, 9}, {0, 9}}, room);
  const auto states = run(tasks, runner, room, [&] { return runner.ticks_ >= 3; });
  EXPECT_EQ(states, (std::vector<TaskState>{kDone, kWaiting, kWaiting}));
  EXPECT_EQ(runner.started_, (std::vector<size_t>{0, 1, 2}));
}

TEST(Schedule, FinishesAnyGraphAndKeepsCoresBusy) {
  Random random(5);
  const auto below = [&](int64_t n) { return static_cast<int64_t>(random.uniform() * static_cast<double>(n)); };
  for (int round = 0; round < 50; ++round) {
    std::vector<Task> tasks;
    std::vector<Work> work;
    for (int64_t i = 0; i < 40; ++i) {
      Task task;
      task.threads = 1 + below(2);
      for (int64_t input = std::max<int64_t>(0, i - 4); input < i; ++input) {
        if (below(8) == 0) task.inputs.push_back(static_cast<size_t>(input));
      }
      tasks.push_back(task);
      work.push_back({random.uniform(), 1 + below(5)});
    }
    const CoresAndMemory room{4, 100};
    CountedRunner runner(tasks, work, room);
    EXPECT_EQ(run(tasks, runner, room), std::vector<TaskState>(tasks.size(), kDone));
    // Chains and the end leave cores idle; without any scheduling a half would be.
    EXPECT_GT(static_cast<double>(runner.busy_), 0.75 * static_cast<double>(4 * runner.ticks_));
  }
}

}  // namespace
}  // namespace vlsi::schedule_test
