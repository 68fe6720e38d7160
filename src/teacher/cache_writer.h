// Writing a teacher cache, shard by shard; what is finished stays when the process ends in between.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>

#include "base/directory_lock.h"
#include "data/batch.h"
#include "objective/verbal_kl.h"
#include "teacher/cache_format.h"

namespace vlsi {

class CacheWriter {
 public:
  /// Opens `directory`, new or with the shards of an earlier start. A shard ends before it has more than `shard_bytes`
  /// of rows and entropies, but holds at least one batch. Error naming what differs when a cache of another origin is
  /// there, for a directory with other contents, and for damaged shards.
  CacheWriter(const std::filesystem::path& directory, const CacheOrigin& origin, int64_t shard_bytes);

  /// Whether all samples of the batch are in the cache.
  bool has(const Batch& batch) const;
  /// Adds those that are not. A whole batch is in one shard, so that a repeated run cuts shards at the same places.
  /// Error naming sample and layer when a value is not finite.
  void add(const Batch& batch, const TeacherSummary& summary);
  /// Writes the last shard, and marks the cache as complete.
  void finish();

  /// In the finished shards and the one under way.
  int64_t num_samples() const { return records_->num_records(); }
  int64_t num_positions() const { return records_->num_rows(); }
  /// In finished shards alone: what the next start finds.
  int64_t num_finished_samples() const { return num_samples() - records_->num_pending(); }
  int64_t num_shards() const { return records_->num_shards(); }

 private:
  const std::filesystem::path directory_;
  const CacheOrigin origin_;
  std::unique_ptr<DirectoryLock> lock_;
  std::optional<RecordShards> records_;  // opened under the lock
};

}  // namespace vlsi
