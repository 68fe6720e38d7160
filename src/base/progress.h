// Where a long job stands, on stderr: a line that is rewritten on a terminal, one every ten seconds elsewhere.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

namespace vlsi {

class Progress {
 public:
  /// `first` of `total` units are done already. `unit` in the plural.
  Progress(std::string job, std::string unit, int64_t total, int64_t first = 0);
  ~Progress();

  /// `done` units are done; `note` stands behind the numbers, as "loss 0.431".
  void update(int64_t done, const std::string& note = {});

 private:
  using Clock = std::chrono::steady_clock;
  void show(int64_t done, const std::string& note, Clock::time_point now);

  std::string job_, unit_;
  int64_t total_, first_;
  bool is_terminal_;
  Clock::time_point started_, shown_;
};

/// "1 h 02 min", "3 min 20 s", "12 s".
std::string duration_text(double seconds);

}  // namespace vlsi
