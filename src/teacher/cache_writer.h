// Writing a teacher cache, shard by shard; what is finished stays when the process ends in between.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "base/directory_lock.h"
#include "data/batch.h"
#include "teacher/cache_format.h"
#include "teacher/sample_index.h"

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

  /// In finished shards, the one under way included.
  int64_t num_samples() const { return index_.size(); }
  int64_t num_positions() const { return num_finished_positions_ + num_positions_; }
  /// In finished shards alone: what the next start finds.
  int64_t num_finished_samples() const { return index_.size() - static_cast<int64_t>(samples_.size()); }
  int64_t num_shards() const { return num_shards_; }

 private:
  void add_sample(const Batch& batch, int64_t index, const TeacherSummary& summary);
  void write_open_shard();
  /// The first number of which there is no shard.
  std::filesystem::path next_shard_path() const;

  const std::filesystem::path directory_;
  const CacheOrigin origin_;
  const int64_t num_layers_, max_positions_;
  std::unique_ptr<DirectoryLock> lock_;
  SampleIndex index_;  // places mean nothing here
  int64_t num_shards_ = 0, num_finished_positions_ = 0;

  // The shard under way.
  at::Tensor rows_, entropy_;  // [max, L, D] float16, [max, L] float32; the first num_positions_ are filled
  int64_t num_positions_ = 0;
  std::vector<uint64_t> samples_, checksums_;
  std::vector<int64_t> starts_{0}, id_starts_{0};
  std::string ids_;
};

}  // namespace vlsi
