#include "ranks/monitor.h"

#include <algorithm>
#include <exception>
#include <utility>

#include "base/error.h"

namespace vlsi {
namespace {

/// Counters, and the text of the first failure, which is there once kFailures is 1.
constexpr const char *kFailing = "failing", *kFailures = "failures", *kFailure = "failure", *kRead = "failure-read";

std::string beat_key(int64_t rank) { return concat("beat-", rank); }

}  // namespace

RankMonitor::RankMonitor(SharedTable table, const RankMonitorConfig& config)
    : table_(std::move(table)), config_(config), beats_(config.size, 0), heard_(config.size, Clock::now()) {
  thread_ = std::thread([this] { watch(); });
}

RankMonitor::~RankMonitor() {
  stop();
  if (thread_.joinable()) thread_.join();
}

bool RankMonitor::stop() {
  std::unique_lock lock(mutex_);
  stopping_ = true;
  changed_.notify_all();
  return changed_.wait_for(lock, 4 * config_.beat, [&] { return ended_; });
}

void RankMonitor::watch() {
  std::unique_lock lock(mutex_);
  while (!stopping_ && !trouble_) {
    lock.unlock();
    try {
      look();
    } catch (const std::exception&) {
      note(table_is_gone());
    }
    lock.lock();
    looked_ = Clock::now();
    changed_.wait_for(lock, config_.beat, [&] { return stopping_ || trouble_; });
  }
  ended_ = true;
  changed_.notify_all();
}

std::string RankMonitor::table_is_gone() const {
  return config_.table_holder + " is gone, and with it what the ranks share";
}

void RankMonitor::look() {
  table_.add(beat_key(config_.rank), 1);
  if (table_.add(kFailures, 0) > 0) {
    note(table_.get(kFailure));
    table_.add(kRead, 1);
    return;
  }
  for (int64_t rank = 0; rank < config_.size; ++rank) {
    if (rank == config_.rank) continue;
    const int64_t beats = table_.add(beat_key(rank), 0);
    const std::lock_guard lock(mutex_);
    if (std::exchange(beats_[rank], beats) != beats) heard_[rank] = Clock::now();
  }
  if (const auto silent = silent_for(config_.silence); !silent.empty()) {
    note(concat(silent, " is gone: no sign of life for ",
                std::chrono::duration_cast<std::chrono::seconds>(config_.silence).count(), " s"));
  }
}

void RankMonitor::note(std::string trouble) {
  {
    const std::lock_guard lock(mutex_);
    trouble_ = std::move(trouble);
  }
  changed_.notify_all();
}

std::string RankMonitor::silent_for(Clock::duration limit) const {
  const std::lock_guard lock(mutex_);
  std::string ranks;
  for (int64_t rank = 0; rank < config_.size; ++rank) {
    if (rank == config_.rank || Clock::now() - heard_[rank] < limit) continue;
    ranks += concat(ranks.empty() ? "rank " : ", rank ", rank);
  }
  return ranks;
}

std::optional<std::string> RankMonitor::trouble() const {
  const std::lock_guard lock(mutex_);
  if (!trouble_ && !stopping_ && Clock::now() - looked_ > config_.silence) return table_is_gone();
  return trouble_;
}

std::string RankMonitor::explain(const std::string& broken) const {
  const auto enough = 6 * config_.beat;
  const auto end = Clock::now() + 2 * enough;
  while (Clock::now() < end) {
    if (const auto found = trouble()) return *found;
    if (const auto silent = silent_for(enough); !silent.empty()) return silent + " is gone";
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, config_.beat / 2, [&] { return trouble_.has_value(); });
  }
  return broken;
}

void RankMonitor::report_failure(const std::string& message) {
  if (trouble()) return;
  try {
    if (table_.add(kFailing, 1) != 1) return;  // another rank was first
    table_.set(kFailure, concat("rank ", config_.rank, " stopped: ", message));
    table_.add(kFailures, 1);
    const auto end = Clock::now() + 3 * config_.beat;
    while (config_.holds_table && Clock::now() < end && table_.add(kRead, 0) < config_.size) {
      std::this_thread::sleep_for(config_.beat / 10);
    }
  } catch (const std::exception&) {
    // The table is gone, and with it those who would read of it.
  }
}

}  // namespace vlsi
