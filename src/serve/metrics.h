// What a server of answers has done, for Prometheus.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <string>

#include "serve/openai/reply.h"

namespace vlsi {

/// Seconds, counted in steps of Prometheus' histograms.
class SecondsHistogram {
 public:
  void add(double seconds);
  /// Lines of the text format.
  std::string text(const std::string& name, const std::string& help) const;

 private:
  static constexpr std::array kBounds{0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0};
  std::array<int64_t, kBounds.size() + 1> counts_{};
  double sum_ = 0;
};

/// From any thread.
class ServerMetrics {
 public:
  void count_request(int status);
  /// `num_cut`: of the answers, those that ended at their longest. `first_text_seconds`: where text came in pieces.
  void count_answer(const Usage& usage, int64_t num_answers, int64_t num_cut, std::optional<double> first_text_seconds,
                    double seconds);
  void count_gone_client();

  /// Prometheus' text format; the two gauges are given.
  std::string text(int64_t num_running, int64_t num_waiting) const;

 private:
  mutable std::mutex mutex_;
  std::map<int, int64_t> requests_;
  Usage sum_;
  int64_t num_answers_ = 0, num_cut_ = 0, num_gone_ = 0;
  SecondsHistogram first_text_, whole_;
};

}  // namespace vlsi
