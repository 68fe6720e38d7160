#include "data/sample_stream.h"

#include <condition_variable>
#include <deque>
#include <future>
#include <mutex>
#include <stop_token>
#include <thread>
#include <utility>
#include <vector>

#include "base/error.h"

namespace vlsi {
namespace {

constexpr size_t kMaxRecordsAhead = 1024;
constexpr int64_t kBatchesAhead = 2;

/// A record on its way: claimed by a worker, then `done`, then taken in its turn.
struct Slot {
  StreamedSample streamed;
  bool done = false;
};

}  // namespace

Lengths lengths_of(const SamplePair& sample) {
  return {std::ssize(sample.own.tokens), sample.teachers ? std::ssize(sample.teachers->tokens) : 0};
}

Cursor normal(Cursor cursor, int64_t epoch_size) {
  return cursor.index < epoch_size ? cursor : Cursor{cursor.epoch + 1, 0};
}

struct SampleStream::State {
  State(const Mixture& mixture, const SampleMaker& maker, const LoaderConfig& config, Cursor start)
      : mixture_(mixture),
        maker_(maker),
        config_(config),
        makes_outlines_(!config.share.is_all()),
        epoch_size_(mixture.size()),
        claim_(normal(start, epoch_size_)),
        order_epoch_(claim_.epoch),
        order_(mixture_.order(config_.seed, order_epoch_, config_.shuffle)) {
    prepare_next_order();
    for (int i = 0; i < config_.num_workers; ++i) {
      workers_.emplace_back([this](const std::stop_token& stop) { work(stop); });
    }
  }

  ~State() {
    for (auto& worker : workers_) worker.request_stop();  // all before the first is waited for
  }

  StreamedSample next() {
    std::unique_lock lock(mutex_);
    ready_.wait(lock, [&] { return !window_.empty() && window_.front().done; });
    auto streamed = std::move(window_.front().streamed);
    window_.pop_front();
    tokens_ahead_ -= lengths_of(streamed.sample).longer();
    room_.notify_all();
    return streamed;
  }

  void fill(StreamedSample& outline) const {
    guard(outline, [&] {
      const auto has_pictures = [](const Sample& sample) { return !sample.images.empty(); };
      const auto& [own, teachers] = outline.sample;
      if (has_pictures(own) || (teachers && has_pictures(*teachers))) {
        const auto conversation = read(outline);
        at_place(outline, [&] { maker_.fill(conversation, outline.sample); });
      }
      at_place(outline, [&] { announce(own); });
    });
    outline.is_filled = true;
  }

 private:
  void prepare_next_order() {
    next_order_ = std::async(std::launch::async, [this, epoch = order_epoch_ + 1] {
      return mixture_.order(config_.seed, epoch, config_.shuffle);
    });
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
      slot.streamed.at = claim_;
      slot.streamed.record = order_[claim_.index];
      claim_ = normal({claim_.epoch, claim_.index + 1}, epoch_size_);
    } catch (...) {
      slot.streamed.fault = std::current_exception();  // no memory or no thread for an order
    }
    return slot;
  }

  void work(const std::stop_token& stop) {
    std::unique_lock lock(mutex_);
    while (room_.wait(lock, stop, [&] { return has_room(); }) && !stop.stop_requested()) {
      Slot& slot = claim();
      lock.unlock();
      if (!slot.streamed.fault) load(slot.streamed);
      lock.lock();
      slot.done = true;
      tokens_ahead_ += lengths_of(slot.streamed.sample).longer();
      ready_.notify_one();
    }
  }

  void load(StreamedSample& streamed) const {
    guard(streamed, [&] {
      const auto conversation = read(streamed);
      at_place(streamed, [&] {
        const auto make = makes_outlines_ ? &SampleMaker::outline : &SampleMaker::encode;
        streamed.sample = (maker_.*make)(conversation, config_.sample_tokens, config_.batch_tokens);
        if (!makes_outlines_) announce(streamed.sample.own);
      });
    });
  }

  void announce(const Sample& sample) const {
    if (config_.announce) config_.announce(sample);
  }

  Conversation read(const StreamedSample& streamed) const {
    return mixture_.file(streamed.record.file).read(streamed.record.record);
  }

  /// What `action` throws becomes the record's error, or its fault.
  template <class Action>
  static void guard(StreamedSample& streamed, const Action& action) {
    try {
      action();
    } catch (const Error& error) {
      streamed.error = error.what();
      streamed.sample = {};
    } catch (...) {
      streamed.fault = std::current_exception();
    }
  }

  /// Errors of `action` are thrown with the record's place before them.
  template <class Action>
  void at_place(const StreamedSample& streamed, const Action& action) const {
    try {
      action();
    } catch (const Error& error) {
      fail(mixture_.file(streamed.record.file).place(streamed.record.record), ": ", error.what());
    }
  }

  const Mixture& mixture_;
  const SampleMaker maker_;
  const LoaderConfig config_;
  const bool makes_outlines_;
  const int64_t epoch_size_;

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

SampleStream::SampleStream(const Mixture& mixture, const SampleMaker& maker, const LoaderConfig& config, Cursor start)
    : state_(std::make_unique<State>(mixture, maker, config, start)) {}

SampleStream::~SampleStream() = default;

StreamedSample SampleStream::next() { return state_->next(); }
void SampleStream::fill(StreamedSample& outline) const { state_->fill(outline); }

}  // namespace vlsi
