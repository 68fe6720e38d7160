#include "data/loader.h"

#include <algorithm>
#include <atomic>
#include <deque>
#include <exception>
#include <future>
#include <iterator>
#include <map>
#include <optional>
#include <utility>

#include "base/error.h"
#include "base/json.h"
#include "base/log.h"
#include "base/waiting_threads.h"
#include "data/sample_stream.h"
#include "ranks/ranks.h"

namespace vlsi {
namespace {

constexpr int64_t kFilledAhead = 2;  // batches of this rank

/// How a loader stands between two batches.
struct Standing {
  Cursor next;                             // of the next record
  bool seen_whole = false;                 // its epoch was entered at the first record
  int64_t num_good = 0;                    // good samples of that epoch
  std::vector<std::string> first_reasons;  // why records of that epoch were left out
  std::vector<int64_t> source_tokens;
  Skipped skipped;
};

/// The records of a batch, those that were left out among them, and how the loader stands behind it.
struct FormedBatch {
  std::vector<StreamedSample> records;
  Standing behind;
};
using Iteration = std::vector<FormedBatch>;

/// Makes outlines of samples that were filled before they became another rank's.
void drop_rows(FormedBatch& batch) {
  for (auto& record : batch.records) {
    for (auto& image : record.sample.own.images) image.rows.reset();
    if (!record.sample.teachers) continue;
    for (auto& image : record.sample.teachers->images) image.rows.reset();
  }
}

Batch packed(FormedBatch formed) {
  std::vector<SamplePair> samples;
  for (auto& record : formed.records) {
    if (record.error.empty()) samples.push_back(std::move(record.sample));
  }
  return pack_pairs(samples);
}

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
      : mixture_(mixture), config_(config), epoch_size_(mixture.size()) {
    check(start);
    standing_.next = normal(start, epoch_size_);
    standing_.seen_whole = standing_.next.index == 0;
    standing_.source_tokens.resize(mixture.num_sources());
    given_ = standing_;
    stream_.emplace(mixture, maker, config, start);
    if (is_shared()) begin_ahead();
  }

  ~State() { is_ending_ = true; }

  Batch next(bool with_all_rows) {
    if (!failure_.empty()) throw Error(failure_);
    try {
      return packed(take(with_all_rows));
    } catch (const Error& error) {
      failure_ = error.what();
      throw;
    }
  }

  Standing given_;  // behind the last batch that was given out

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

  bool is_shared() const { return !config_.share.is_all(); }
  bool skips() const { return config_.on_error == OnError::kSkip; }

  bool is_mine(int64_t number) const { return number >= config_.share.first && number < config_.share.end; }

  FormedBatch take(bool with_all_rows) {
    FormedBatch formed;
    if (!is_shared()) {
      formed = form();
    } else {
      if (place_ == iteration_.size()) begin_iteration();
      if (with_all_rows) fill({&iteration_[place_]});
      formed = std::move(iteration_[place_]);
      if (!with_all_rows && !is_mine(place_)) drop_rows(formed);
      ++place_;
    }
    given_ = formed.behind;
    return formed;
  }

  /// The next record, which stays until it is taken.
  StreamedSample& front() {
    if (pending_.empty()) pending_.push_back(stream_->next());
    if (pending_.front().fault) std::rethrow_exception(pending_.front().fault);
    return pending_.front();
  }

  FormedBatch form() {
    FormedBatch formed;
    Lengths num_tokens;
    while (num_tokens.longer() < config_.batch_tokens) {
      StreamedSample& record = front();
      if (!record.error.empty()) {
        skip(record.error);
      } else {
        const auto length = lengths_of(record.sample);
        const Lengths with_it{num_tokens.own + length.own, num_tokens.teachers + length.teachers};
        if (with_it.longer() > config_.batch_tokens) break;
        num_tokens = with_it;
        standing_.source_tokens[mixture_.source_of(record.record.file)] += length.own;
        standing_.num_good += 1;
      }
      formed.records.push_back(std::move(record));
      pending_.pop_front();
      pass(formed.records.back().at);
    }
    formed.behind = standing_;
    return formed;
  }

  /// Counts a bad record, or stops at it.
  void skip(const std::string& error) {
    if (!skips()) throw Error(error);
    standing_.skipped.add(error);
    if (standing_.first_reasons.size() < 3) standing_.first_reasons.push_back(error);
  }

  /// Goes on behind the record at `at`.
  void pass(Cursor at) {
    standing_.next = normal({at.epoch, at.index + 1}, epoch_size_);
    if (standing_.next.epoch == at.epoch) return;
    if (standing_.seen_whole && standing_.num_good == 0) {
      auto text = concat("data: every one of the ", epoch_size_, " records of epoch ", at.epoch, " was left out:");
      for (const auto& reason : standing_.first_reasons) text += " [" + reason + "]";
      throw Error(text);
    }
    standing_.seen_whole = true;
    standing_.num_good = 0;
    standing_.first_reasons.clear();
  }

  // ---- with a share ----

  void begin_ahead() {
    ahead_ = std::async(std::launch::async, [this] {
      auto iteration = form_iteration();
      fill(mine_of(iteration, kFilledAhead));
      return iteration;
    });
  }

  /// The next iteration's batches, those of this rank filled, of records that all ranks found good.
  void begin_iteration() {
    auto iteration = ahead_.valid() ? ahead_.get() : form_iteration();
    fill(mine_of(iteration, config_.share.num_batches));
    while (skips() && config_.share.ranks != nullptr) {
      fill_next();
      const auto broken = gather_broken(iteration);
      if (broken.empty()) break;
      put_back(std::move(iteration), broken);
      iteration = form_iteration();
      fill(mine_of(iteration, config_.share.num_batches));
    }
    iteration_ = std::move(iteration);
    place_ = 0;
    begin_ahead();
  }

  Iteration form_iteration() {
    Iteration iteration;
    while (std::ssize(iteration) < config_.share.num_batches && !is_ending_) iteration.push_back(form());
    return iteration;
  }

  /// At most so many.
  std::vector<FormedBatch*> mine_of(Iteration& iteration, int64_t at_most) const {
    std::vector<FormedBatch*> mine;
    const auto end = std::min<int64_t>(std::ssize(iteration), config_.share.end);
    for (int64_t i = config_.share.first; i < end && std::ssize(mine) < at_most; ++i) mine.push_back(&iteration[i]);
    return mine;
  }

  /// Reads the rows of the pictures in the batches' outlines, on threads. Where nothing is skipped, the first error is
  /// thrown.
  void fill(const std::vector<FormedBatch*>& batches) {
    std::vector<StreamedSample*> outlines;
    for (auto* batch : batches) {
      for (auto& record : batch->records) {
        if (record.error.empty() && !record.is_filled) outlines.push_back(&record);
      }
    }
    for_each_waiting(0, std::ssize(outlines), config_.num_workers, [&](int64_t i) {
      if (!is_ending_) stream_->fill(*outlines[i]);
    });
    for (const auto* outline : outlines) {
      if (outline->fault) std::rethrow_exception(outline->fault);
      if (!outline->error.empty() && !skips()) throw Error(outline->error);
    }
  }

  /// The last rank reads the pictures of the record that did not fit into the iteration: if it is bad, another may fit.
  void fill_next() {
    if (config_.share.end < config_.share.num_batches || pending_.empty()) return;
    auto& record = pending_.front();
    if (record.error.empty() && !record.is_filled) stream_->fill(record);
  }

  using Reasons = std::map<Cursor, std::string>;

  /// What the ranks found broken when they filled their batches of the iteration, and looked at the record behind it.
  Reasons gather_broken(const Iteration& iteration) const {
    OrderedJson mine = OrderedJson::array();
    const auto add = [&](const StreamedSample& record) {
      if (record.is_filled && !record.error.empty()) {
        mine.push_back({record.at.epoch, record.at.index, record.error});
      }
    };
    for (const auto& batch : iteration) std::for_each(batch.records.begin(), batch.records.end(), add);
    if (!pending_.empty()) add(pending_.front());
    const auto bytes = OrderedJson::to_msgpack(mine);
    Reasons reasons;
    for (const auto& text : config_.share.ranks->all_gather(std::string(bytes.begin(), bytes.end()))) {
      for (const auto& one : OrderedJson::from_msgpack(text)) {
        reasons[{one[0].get<int64_t>(), one[1].get<int64_t>()}] = one[2].get<std::string>();
      }
    }
    return reasons;
  }

  /// Has the iteration's records taken once more, those that were found broken as bad ones.
  void put_back(Iteration iteration, const Reasons& broken) {
    const auto mark = [&](StreamedSample& record) {
      const auto found = broken.find(record.at);
      if (found == broken.end()) return;
      record.error = found->second;
      record.sample = {};
      record.is_filled = false;
    };
    if (!pending_.empty()) mark(pending_.front());
    for (auto batch = iteration.rbegin(); batch != iteration.rend(); ++batch) {
      for (auto record = batch->records.rbegin(); record != batch->records.rend(); ++record) {
        mark(*record);
        pending_.push_front(std::move(*record));
      }
    }
    standing_ = given_;
  }

  const Mixture& mixture_;
  const LoaderConfig config_;
  const int64_t epoch_size_;
  std::optional<SampleStream> stream_;
  std::deque<StreamedSample> pending_;  // records to be taken before the stream's
  Standing standing_;                   // behind the last batch that was formed
  std::string failure_;                 // what ended the loader: every later call throws it
  Iteration iteration_;                 // whose batches are being given out
  size_t place_ = 0;                    // of the next of them
  std::atomic<bool> is_ending_ = false;
  std::future<Iteration> ahead_;  // last: it ends before what it uses
};

Loader::Loader(const Mixture& mixture, const SampleMaker& maker, const LoaderConfig& config, Cursor start)
    : state_(std::make_unique<State>(mixture, maker, config, start)) {}

Loader::~Loader() = default;

Batch Loader::next() { return state_->next(/*with_all_rows=*/false); }
Batch Loader::next_whole() { return state_->next(/*with_all_rows=*/true); }
Cursor Loader::cursor() const { return state_->given_.next; }
const std::vector<int64_t>& Loader::source_tokens() const { return state_->given_.source_tokens; }
const Skipped& Loader::skipped() const { return state_->given_.skipped; }

}  // namespace vlsi
