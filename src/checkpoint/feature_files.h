// Features of pictures on disk: what a frozen vision tower said, for later epochs and later runs. (P patches, E tower
// width)
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/directory_lock.h"
#include "base/safetensors.h"

namespace vlsi {

/// The files of one tower, in a folder of its own: shards of features exactly as the tower gave them, each record with
/// a checksum. They are mapped, and cost page cache and some 50 bytes of memory a picture. Used by one thread. One
/// process at a time adds to a folder; others read what they find there when they open it, and compute the rest.
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
  /// Keeps the features of a picture that was not found; a shard is written whenever `shard_bytes` have come together.
  /// Error when that fails.
  void insert(uint64_t picture, const at::Tensor& features);

  int64_t num_pictures() const { return static_cast<int64_t>(places_.size() + pending_of_.size()); }

 private:
  static constexpr int64_t kShardBytes = int64_t{64} << 20;

  struct Shard {
    std::filesystem::path path;
    at::Tensor features;                     // [P of the shard, E]
    at::Tensor pictures, checksums, starts;  // [R] uint64, [R] uint64, [R + 1] int64
    std::vector<bool> verified;              // of each record
  };
  struct Place {
    uint32_t shard, record;
  };
  void open_shard(const std::filesystem::path& path);
  void write_pending();

  std::filesystem::path folder_;
  const std::string tower_;
  const int64_t width_;
  const at::ScalarType dtype_;
  const int64_t shard_bytes_;
  std::unique_ptr<DirectoryLock> lock_;  // null: another process adds to the folder
  int64_t next_number_ = 1;
  std::vector<Shard> shards_;
  std::unordered_map<uint64_t, Place> places_;
  std::vector<std::pair<uint64_t, at::Tensor>> pending_;
  std::unordered_map<uint64_t, size_t> pending_of_;  // in pending_
  int64_t pending_bytes_ = 0;
};

}  // namespace vlsi
