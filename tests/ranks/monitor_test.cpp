// What one rank's monitor hears of the others through a table that all of them see.
#include "ranks/monitor.h"

#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <stdexcept>

namespace vlsi {
namespace {

using namespace std::chrono_literals;

/// The table in memory, which may go away.
struct Table {
  std::mutex mutex;
  std::map<std::string, int64_t> counters;
  std::map<std::string, std::string> texts;
  bool is_gone = false;

  SharedTable access() {
    const auto look = [this](const auto& action) {
      const std::lock_guard lock(mutex);
      if (is_gone) throw std::runtime_error("connection closed");
      return action();
    };
    return {[=, this](const std::string& key, int64_t amount) { return look([&] { return counters[key] += amount; }); },
            [=, this](const std::string& key, const std::string& text) { look([&] { return texts[key] = text; }); },
            [=, this](const std::string& key) { return look([&] { return texts.at(key); }); }};
  }

  std::unique_ptr<RankMonitor> monitor(int64_t rank, int64_t size = 2, std::chrono::milliseconds silence = 10min,
                                       std::chrono::milliseconds beat = 5ms) {
    return std::make_unique<RankMonitor>(
        access(), RankMonitorConfig{rank, size, /*holds_table=*/rank == 0, "rank 0", beat, silence});
  }
};

/// What it hears within ten seconds.
std::string trouble_of(const RankMonitor& monitor) {
  for (int i = 0; i < 10'000; ++i) {
    if (const auto trouble = monitor.trouble()) return *trouble;
    std::this_thread::sleep_for(1ms);
  }
  return "none";
}

TEST(RankMonitor, HearsWhyAnotherRankFailed) {
  Table table;
  const auto first = table.monitor(0, 3), second = table.monitor(1, 3), third = table.monitor(2, 3);
  EXPECT_FALSE(first->trouble());
  second->report_failure("the disk is full");
  first->report_failure("that comes too late");
  for (const auto* monitor : {first.get(), third.get()})
    EXPECT_EQ(trouble_of(*monitor), "rank 1 stopped: the disk is full");
}

TEST(RankMonitor, HearsThatRanksAreSilent) {
  Table table;
  const auto alone = table.monitor(1, 3, 300ms);
  EXPECT_EQ(trouble_of(*alone), "rank 0, rank 2 is gone: no sign of life for 0 s");
}

TEST(RankMonitor, IsContentWithRanksThatLive) {
  Table table;
  // Silence that is a hundred beats long: no machine is that slow.
  const auto first = table.monitor(0, 2, 500ms), second = table.monitor(1, 2, 500ms);
  std::this_thread::sleep_for(700ms);
  EXPECT_FALSE(first->trouble());
  EXPECT_FALSE(second->trouble());
}

TEST(RankMonitor, HearsThatTheTableIsGone) {
  Table table;
  const auto monitor = table.monitor(1);
  {
    const std::lock_guard lock(table.mutex);
    table.is_gone = true;
  }
  EXPECT_EQ(trouble_of(*monitor), "rank 0 is gone, and with it what the ranks share");
  monitor->report_failure("nobody hears this");
}

TEST(RankMonitor, HearsThatTheTableNoLongerAnswers) {
  Table table;
  std::unique_lock silent(table.mutex, std::defer_lock);
  const auto monitor = table.monitor(1, 2, 300ms);
  silent.lock();
  EXPECT_EQ(trouble_of(*monitor), "rank 0 is gone, and with it what the ranks share");
  EXPECT_FALSE(monitor->stop()) << "it waits for an answer";
  silent.unlock();
}

TEST(RankMonitor, ExplainsABrokenConnection) {
  Table table;
  // Six beats without a sign are enough here: no machine sleeps so long.
  const auto monitor = [&](int64_t rank) { return table.monitor(rank, 2, 10min, 150ms); };
  const auto first = monitor(0);
  EXPECT_EQ(first->explain("connection reset"), "rank 1 is gone");
  const auto second = monitor(1);
  EXPECT_EQ(second->explain("connection reset"), "connection reset") << "all ranks are there";
  second->report_failure("no more pictures");
  EXPECT_EQ(first->explain("connection reset"), "rank 1 stopped: no more pictures");
}

}  // namespace
}  // namespace vlsi
