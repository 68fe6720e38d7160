// Making a teacher cache: the teacher runs once over the data of step 2.
#pragma once

#include <cstdint>
#include <filesystem>

#include "run/config.h"

namespace vlsi {

struct MakeCacheOptions {
  std::filesystem::path out;
  int64_t shard_bytes = int64_t{256} << 20;
};

/// Writes the teacher's part of step 2 of `config` (checked by check()) to options.out: an expected row and an entropy
/// for every answer position of interact.data, at the target layers and the last one. Step 1 must be done. Says how
/// large it will be before any model is loaded; Error when the disk has no room for it, and when the run's losses read
/// what no cache holds. Samples that are in the cache are passed over; kInterrupted after Ctrl-C.
Outcome make_teacher_cache(const RunConfig& config, const MakeCacheOptions& options);

/// Error naming `place` unless `free_bytes` are enough for `needed_bytes`.
void check_room(int64_t needed_bytes, int64_t free_bytes, const std::filesystem::path& place);

}  // namespace vlsi
