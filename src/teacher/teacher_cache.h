// Reading a teacher cache: what a teacher said at the answer positions of every sample, without the teacher.
// (L target layers and the last layer, N answer positions, D student width)
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "data/batch.h"
#include "objective/verbal_kl.h"
#include "teacher/cache_format.h"

namespace vlsi {

/// A cache on disk (RecordShards). Used by one thread, but for read_ahead.
class TeacherCache {
 public:
  /// Opens a complete cache for a run whose values would be of `run`, which may name fewer layers. Error naming what
  /// differs, for a cache that is not complete, and for a missing or damaged shard.
  TeacherCache(const std::filesystem::path& directory, const CacheOrigin& run);

  /// What the teacher says of the batch's samples at `layers` (among the cache's) and at the last layer: float32, on
  /// the batch's device; with the visual advantage where the cache has it. Checks a record's checksum when it is first
  /// read. Error for a sample that is not in the cache, naming it.
  TeacherSummary load(const Batch& batch, const std::vector<int64_t>& layers);

  /// Has the system read the record of a sample in the background. Any thread, at any time. Error for a sample that is
  /// not in the cache, naming it.
  void read_ahead(const Sample& sample) const;

  int64_t num_samples() const { return records_.num_records(); }
  int64_t shared_rows() const { return description_.origin.shared_rows; }

 private:
  [[noreturn]] void fail_without(const std::string& id) const;
  /// The expected rows [n, L, D] and entropies [n, L], and where there is one the visual advantage [n], of sample
  /// `index` of `batch`.
  std::vector<at::Tensor> find(const Batch& batch, int64_t index);

  const std::filesystem::path directory_;
  const CacheDescription description_;
  RecordShards records_;
};

}  // namespace vlsi
