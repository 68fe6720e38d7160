#include "data/loader.h"

#include <algorithm>
#include <condition_variable>
#include <deque>
#include <exception>
#include <future>
#include <mutex>
#include <stop_token>
#include <thread>
#include <utility>

#include "base/log.h"

namespace vlsi {
namespace {

constexpr size_t kMaxRecordsAhead = 1024;
constexpr int64_t kBatchesAhead = 2;

/// Tokens of a batch as either model is shown it.
struct Lengths {
  int64_t own = 0, teachers = 0;

  int64_t longer() const { return std::max(own, teachers); }
};

Lengths lengths_of(const SamplePair& sample) {
  return {std::ssize(sample.own.tokens), sample.teachers ? std::ssize(sample.teachers->tokens) : 0};
}

/// A record on its way: claimed by a worker, then `done`, then taken in its turn.
struct Slot {
  Cursor at;
  Mixture::Record record{};
  bool done = false;
  SamplePair sample;
  std::string error;         // of the record; empty if it is good
  std::exception_ptr fault;  // not the record's: thrown on whatever `on_error` says
};

}  // namespace

void Skipped::add(std::string reason) {
  ++count;
  if (reasons.size() < kMaxReasons) reasons.push_back(std::move(reason));
}

void Skipped::add(Skipped later) {
  count += later.count;
  for (auto& reason : later.reasons) {
    if (reasons.size() < kMaxReasons) reasons.push_back(std::move(reason));
  }
}

void report_skipped(const Skipped& skipped, const std::string& job) {
  if (skipped.count == 0) return;
  log_warning(concat(job, ": ", skipped.count, " records were skipped; the first ", skipped.reasons.size(), ":"));
  for (const auto& reason : skipped.reasons) log_warning("  " + reason);
}

struct Loader::State {
  State(const Mixture& mixture, const SampleMaker& maker, const LoaderConfig& config, Cursor start)
      : mixture_(mixture), maker_(maker), config_(config), epoch_size_(mixture.size()) {
    source_tokens_.resize(mixture.num_sources());
    check(start);
    claim_ = cursor_ = next_ = normal(start);
    seen_whole_ = claim_.index == 0;
    order_epoch_ = claim_.epoch;
    order_ = mixture_.order(config_.seed, order_epoch_, config_.shuffle);
    prepare_next_order();
    for (int i = 0; i < config_.num_workers; ++i) {
      workers_.emplace_back([this](const std::stop_token& stop) { work(stop); });
    }
  }

  ~State() {
    for (auto& worker : workers_) worker.request_stop();  // all before the first is waited for
  }

  Batch next() {
    if (!failure_.empty()) throw Error(failure_);
    std::vector<SamplePair> samples;
    Lengths num_tokens;
    std::unique_lock lock(mutex_);
    while (num_tokens.longer() < config_.batch_tokens) {
      ready_.wait(lock, [&] { return !window_.empty() && window_.front().done; });
      Slot& slot = window_.front();
      if (slot.fault) std::rethrow_exception(slot.fault);
      if (!slot.error.empty()) {
        skip(slot);
      } else {
        const auto length = lengths_of(slot.sample);
        const Lengths with_it{num_tokens.own + length.own, num_tokens.teachers + length.teachers};
        if (with_it.longer() > config_.batch_tokens) break;
        num_tokens = with_it;
        source_tokens_[mixture_.source_of(slot.record.file)] += length.own;
        tokens_ahead_ -= length.longer();
        num_good_ += 1;
        samples.push_back(std::move(slot.sample));
      }
      pass();
    }
    cursor_ = next_;
    lock.unlock();
    return pack_pairs(samples);
  }

  Cursor cursor_;
  Skipped skipped_;
  std::vector<int64_t> source_tokens_;

 private:
  void check(Cursor start) const {
    if (epoch_size_ == 0) fail("data: an epoch has no records, expected a larger weight or more records");
    if (config_.num_workers < 1) fail("data: num_workers is ", config_.num_workers, ", expected at least 1");
    if (config_.batch_tokens < 1) fail("data: batch_tokens is ", config_.batch_tokens, ", expected at least 1");
    if (config_.sample_tokens < 1) fail("data: sample_tokens is ", config_.sample_tokens, ", expected at least 1");
    if (start.epoch < 0 || start.index < 0 || start.index > epoch_size_) {
      fail("data: cannot go on at record ", start.index, " of epoch ", start.epoch, ", an epoch has ", epoch_size_,
           " records");
    }
  }

  /// The cursor behind an epoch's last record is the next epoch's first.
  Cursor normal(Cursor cursor) const { return cursor.index < epoch_size_ ? cursor : Cursor{cursor.epoch + 1, 0}; }

  void prepare_next_order() {
    next_order_ = std::async(std::launch::async, [this, epoch = order_epoch_ + 1] {
      return mixture_.order(config_.seed, epoch, config_.shuffle);
    });
  }

  /// Counts a bad record, or stops at it for good: a later call throws the same.
  void skip(const Slot& slot) {
    if (config_.on_error == OnError::kStop) {
      failure_ = slot.error;
      throw Error(failure_);
    }
    skipped_.add(slot.error);
    if (first_reasons_.size() < 3) first_reasons_.push_back(slot.error);
  }

  /// Takes the front record out of the window.
  void pass() {
    const Cursor at = window_.front().at;
    window_.pop_front();
    room_.notify_all();
    next_ = normal({at.epoch, at.index + 1});
    if (next_.epoch == at.epoch) return;
    if (seen_whole_ && num_good_ == 0) {
      failure_ = concat("data: every one of the ", epoch_size_, " records of epoch ", at.epoch, " was left out:");
      for (const auto& reason : first_reasons_) failure_ += " [" + reason + "]";
      throw Error(failure_);
    }
    seen_whole_ = true;
    num_good_ = 0;
    first_reasons_.clear();
  }

  bool has_room() const {
    return window_.size() < kMaxRecordsAhead && tokens_ahead_ / kBatchesAhead < config_.batch_tokens;
  }

  /// Under the lock: the next record in order, put at the window's end. References to a deque's elements outlive pushes
  /// and pops of others.
  Slot& claim() {
    Slot& slot = window_.emplace_back();
    try {
      if (claim_.epoch != order_epoch_) {
        mixture_.check_unchanged();
        order_ = next_order_.get();
        order_epoch_ = claim_.epoch;
        prepare_next_order();
      }
      slot.at = claim_;
      slot.record = order_[claim_.index];
      claim_ = normal({claim_.epoch, claim_.index + 1});
    } catch (...) {
      slot.fault = std::current_exception();  // no memory or no thread for an order
    }
    return slot;
  }

  void work(const std::stop_token& stop) {
    std::unique_lock lock(mutex_);
    while (room_.wait(lock, stop, [&] { return has_room(); }) && !stop.stop_requested()) {
      Slot& slot = claim();
      lock.unlock();
      load(slot);
      lock.lock();
      slot.done = true;
      tokens_ahead_ += lengths_of(slot.sample).longer();
      ready_.notify_one();
    }
  }

  void load(Slot& slot) const {
    if (slot.fault) return;
    const RecordFile& file = mixture_.file(slot.record.file);
    try {
      const Conversation conversation = file.read(slot.record.record);
      try {
        slot.sample = maker_.encode(conversation, config_.sample_tokens, config_.batch_tokens);
        if (config_.announce) config_.announce(slot.sample.own);
      } catch (const Error& error) {
        slot.error = concat(file.place(slot.record.record), ": ", error.what());
      }
    } catch (const Error& error) {
      slot.error = error.what();  // has its place
    } catch (...) {
      slot.fault = std::current_exception();
    }
    if (!slot.error.empty()) slot.sample = {};
  }

  const Mixture& mixture_;
  const SampleMaker maker_;
  const LoaderConfig config_;
  const int64_t epoch_size_;

  // The consumer's.
  Cursor next_;                             // of the record at the window's front
  std::string failure_;                     // what ended the loader
  bool seen_whole_ = false;                 // the epoch at the front was entered at its first record
  int64_t num_good_ = 0;                    // good samples of that epoch
  std::vector<std::string> first_reasons_;  // why records of that epoch were left out

  // Shared, under the mutex.
  std::mutex mutex_;
  std::condition_variable_any room_;
  std::condition_variable ready_;
  std::deque<Slot> window_;
  int64_t tokens_ahead_ = 0;
  Cursor claim_;  // the next record to claim
  int64_t order_epoch_ = 0;
  std::vector<Mixture::Record> order_;  // of `order_epoch_`
  std::future<std::vector<Mixture::Record>> next_order_;

  std::vector<std::jthread> workers_;  // last: they end before what they use
};

Loader::Loader(const Mixture& mixture, const SampleMaker& maker, const LoaderConfig& config, Cursor start)
    : state_(std::make_unique<State>(mixture, maker, config, start)) {}

Loader::~Loader() = default;

Batch Loader::next() { return state_->next(); }
Cursor Loader::cursor() const { return state_->cursor_; }
const std::vector<int64_t>& Loader::source_tokens() const { return state_->source_tokens_; }
const Skipped& Loader::skipped() const { return state_->skipped_; }

}  // namespace vlsi
