// Packed batches from a mixture: seeded order, a token budget, worker threads ahead, a cursor that can be saved.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "data/batch.h"
#include "data/loader_config.h"
#include "data/mixture.h"
#include "data/sample_pair.h"

namespace vlsi {

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
///
/// With a share of them, the batches are the same for all ranks, and each gets those of others without their pictures'
/// rows: it reads the headers of these pictures alone. Where records are skipped, the ranks tell each other before each
/// iteration which of its pictures turned out to be broken when they were decoded, so that all leave out the same.
class Loader {
 public:
  /// `mixture` and the processors of `maker` must outlive the loader.
  Loader(const Mixture& mixture, const SampleMaker& maker, const LoaderConfig& config, Cursor start = {});
  ~Loader();

  /// The next batch. Errors of a record (or its pictures) are thrown here, in order, naming file and record; with kSkip
  /// they are counted instead, and an epoch without a single good sample is an Error. A sample above `sample_tokens`,
  /// or above `batch_tokens`, is an error of that record. After an error every further call throws the same one. So is
  /// a file that has changed an Error, whatever `on_error` says, when an epoch begins. With a share, all ranks call it
  /// for every batch, from the same cursor on; the first of an iteration may throw what an exchange of ranks does.
  Batch next();
  /// The same with the pictures' rows, whosever batch it is.
  Batch next_whole();

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
