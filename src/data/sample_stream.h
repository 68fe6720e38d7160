// The samples of a mixture's records in their seeded order, made by worker threads ahead.
#pragma once

#include <cstdint>
#include <exception>
#include <memory>
#include <string>

#include "data/loader_config.h"
#include "data/mixture.h"
#include "data/sample_pair.h"

namespace vlsi {

/// A record in its turn.
struct StreamedSample {
  Cursor at;
  Mixture::Record record{};
  SamplePair sample;
  std::string error;         // of the record; empty if it is good
  std::exception_ptr fault;  // not the record's: thrown on whatever `on_error` says
  bool is_filled = false;    // an outline whose pictures were read, whether they are good or broken
};

/// Tokens of samples as either model is shown them.
struct Lengths {
  int64_t own = 0, teachers = 0;

  int64_t longer() const { return own > teachers ? own : teachers; }
};
Lengths lengths_of(const SamplePair& sample);

/// The cursor as it is in epochs of this many records: behind an epoch's last one is the next epoch's first.
Cursor normal(Cursor cursor, int64_t epoch_size);

/// Endless: epoch after epoch. With a share of the batches samples are outlines, to be filled where they belong to it.
class SampleStream {
 public:
  /// `mixture` and the processors of `maker` must outlive the stream.
  SampleStream(const Mixture& mixture, const SampleMaker& maker, const LoaderConfig& config, Cursor start);
  ~SampleStream();

  /// The next record's, when it is done.
  StreamedSample next();
  /// Reads the rows of an outline's pictures. Errors are put into it. Any number of threads may call it.
  void fill(StreamedSample& outline) const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace vlsi
