// Packed batches from a mixture: seeded order, a token budget, worker threads ahead, a cursor that can be saved.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "data/batch.h"
#include "data/mixture.h"
#include "data/sample_pair.h"

namespace vlsi {

enum class OnError { kStop, kSkip };

struct LoaderConfig {
  uint64_t seed = 1;
  bool shuffle = true;
  int64_t batch_tokens = 4096;   // a packed batch holds at most this many tokens, and so does the teacher's
  int64_t sample_tokens = 4096;  // a longer sample is an error, or skipped and counted
  OnError on_error = OnError::kStop;
  int num_workers = 1;
  /// Called for every good sample of the model that learns, ahead of its batch, by the worker threads at once; an Error
  /// of it is one of the record. May be empty.
  std::function<void(const Sample&)> announce = {};
};

/// Where a loader stands: the next record to be delivered is number `index` of epoch `epoch`.
struct Cursor {
  int64_t epoch = 0, index = 0;
};

/// What was left out, for the log and the run's summary.
struct Skipped {
  int64_t count = 0;
  std::vector<std::string> reasons;  // the first kMaxReasons, each naming file, record and key
  static constexpr size_t kMaxReasons = 20;

  void add(std::string reason);
  void add(Skipped later);
};

/// Warns on the log, "JOB: 3 records were skipped" with the reasons; silent when there were none.
void report_skipped(const Skipped& skipped, const std::string& job);

/// Endless: epoch after epoch. The batches are a function of (config, cursor) alone, whatever the worker threads do:
/// each takes the next samples in order, on into the next epoch, until one more would exceed `batch_tokens`, the
/// model's or the teacher's.
class Loader {
 public:
  /// `mixture` and the processors of `maker` must outlive the loader.
  Loader(const Mixture& mixture, const SampleMaker& maker, const LoaderConfig& config, Cursor start = {});
  ~Loader();

  /// The next batch. Errors of a record (or its pictures) are thrown here, in order, naming file and record; with kSkip
  /// they are counted instead, and an epoch without a single good sample is an Error. A sample above `sample_tokens`,
  /// or above `batch_tokens`, is an error of that record. After an error every further call throws the same one. So is
  /// a file that has changed an Error, whatever `on_error` says, when an epoch begins.
  Batch next();

  /// The cursor after the last batch given out: a loader started there continues with the batch that follows it.
  Cursor cursor() const;
  /// Tokens of the batches given out, as the model that learns is shown them, of each source of the mixture.
  const std::vector<int64_t>& source_tokens() const;
  const Skipped& skipped() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace vlsi
