// What a loader is to do, and where it stands.
#pragma once

#include <cstdint>
#include <functional>

#include "base/words.h"
#include "data/sample.h"

namespace vlsi {

class Ranks;

enum class OnError { kStop, kSkip };

template <>
struct EnumNames<OnError> {
  static constexpr EnumName<OnError> all[]{{"stop", OnError::kStop}, {"skip", OnError::kSkip}};
};

/// Of the micro-batches that ranks train on together, those of one rank: number `first` to `end` - 1 of each
/// iteration's `num_batches`.
struct BatchShare {
  const Ranks* ranks = nullptr;  // null: a process alone, whose batches are all its own
  int64_t num_batches = 1, first = 0, end = 1;

  /// Whether there is no other rank.
  bool is_all() const { return ranks == nullptr && end - first == num_batches; }
};

struct LoaderConfig {
  uint64_t seed = 1;
  bool shuffle = true;
  int64_t batch_tokens = 4096;   // a packed batch holds at most this many tokens, and so does the teacher's
  int64_t sample_tokens = 4096;  // a longer sample is an error, or skipped and counted
  OnError on_error = OnError::kStop;
  int num_workers = 1;
  /// Called for every good sample of the model that learns in this rank's batches, ahead of its batch, by the worker
  /// threads at once; an Error of it is one of the record. May be empty.
  std::function<void(const Sample&)> announce = {};
  BatchShare share = {};
};

/// Where a loader stands: the next record to be delivered is number `index` of epoch `epoch`.
struct Cursor {
  int64_t epoch = 0, index = 0;

  auto operator<=>(const Cursor&) const = default;
};

}  // namespace vlsi
