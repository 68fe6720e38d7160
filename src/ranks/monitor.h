// Watches over the other ranks from a thread of its own: who is alive, who failed.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

namespace vlsi {

/// A table that all ranks see. Every function may throw, or not return, when it cannot be reached.
struct SharedTable {
  std::function<int64_t(const std::string& key, int64_t amount)> add;  // the counter after it; counters begin at 0
  std::function<void(const std::string& key, const std::string& text)> set;
  std::function<std::string(const std::string& key)> get;  // of a key that was set
};

struct RankMonitorConfig {
  int64_t rank, size;
  bool holds_table;                           // this process's end takes the table away from the others
  std::string table_holder;                   // whose end does, for messages: "rank 0"
  std::chrono::milliseconds beat{500};        // every rank gives a sign of life so often
  std::chrono::milliseconds silence{20'000};  // without one for so long it is taken for gone
};

class RankMonitor {
 public:
  RankMonitor(SharedTable table, const RankMonitorConfig& config);
  RankMonitor(const RankMonitor&) = delete;
  RankMonitor& operator=(const RankMonitor&) = delete;
  ~RankMonitor();

  /// Why the ranks cannot go on together; none while all is well.
  std::optional<std::string> trouble() const;
  /// The reason for a connection that broke: what trouble() finds within seconds, else which ranks have been silent
  /// since; else `broken`, what the connection said.
  std::string explain(const std::string& broken) const;

  /// Tells the others that this rank stops, and why; the first of them counts. Where this process holds the table,
  /// waits until they have read it, for seconds at most. Nothing after trouble, which the others have seen, too.
  void report_failure(const std::string& message);

  /// No more signs of life, and none expected. False when the thread still waits for the table, of which nothing is
  /// heard: then this object must stay until the process ends, or the table answers.
  bool stop();

 private:
  using Clock = std::chrono::steady_clock;
  void watch();
  void look();
  void note(std::string trouble);
  std::string table_is_gone() const;
  /// Ranks without a sign of life for `limit`, as "rank 1"; empty when there are none.
  std::string silent_for(Clock::duration limit) const;

  const SharedTable table_;
  const RankMonitorConfig config_;
  mutable std::mutex mutex_;
  mutable std::condition_variable changed_;
  bool stopping_ = false, ended_ = false;
  std::optional<std::string> trouble_;
  std::vector<int64_t> beats_;
  std::vector<Clock::time_point> heard_;
  Clock::time_point looked_ = Clock::now();
  std::thread thread_;
};

}  // namespace vlsi
