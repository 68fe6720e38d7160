// Features of pictures on disk: what a frozen vision tower said, for later epochs and later runs. (P patches, E tower
// width)
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>

#include "base/directory_lock.h"
#include "base/record_shards.h"

namespace vlsi {

/// The files of one tower, in a folder of its own (RecordShards): features exactly as the tower gave them. Used by one
/// thread. One process at a time adds to a folder; others read what they find there when they open it, and compute the
/// rest.
class FeatureFiles {
 public:
  /// Opens, or begins, the folder of the tower with this fingerprint below `directory`. Error naming the file for a
  /// shard that is damaged or of another tower.
  FeatureFiles(const std::filesystem::path& directory, const std::string& tower, int64_t width, at::ScalarType dtype,
               int64_t shard_bytes = kShardBytes);
  FeatureFiles(const FeatureFiles&) = delete;
  FeatureFiles& operator=(const FeatureFiles&) = delete;
  /// Writes what is left. A failure is a warning.
  ~FeatureFiles();

  /// [P, E], or nothing. Error for a record whose bytes changed since it was written; they are checked when it is first
  /// read.
  std::optional<at::Tensor> find(uint64_t picture);
  /// Keeps the features of a picture that was not found; a shard is written before it holds more than `shard_bytes`.
  /// Error when that fails.
  void insert(uint64_t picture, const at::Tensor& features);

 private:
  static constexpr int64_t kShardBytes = int64_t{64} << 20;

  std::unique_ptr<DirectoryLock> lock_;  // null: another process adds to the folder
  std::optional<RecordShards> records_;  // opened under the lock
};

}  // namespace vlsi
