// A folder of records in safetensors shards: each found by its key, and checked when it is first read.
// (R records and P rows of a shard)
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace vlsi {

/// What the records of a folder are, and what errors call them.
struct RecordFormat {
  struct Values {
    std::string name;
    at::ScalarType dtype;
    std::vector<int64_t> row;  // the shape of a row
  };
  std::string prefix;          // of the files' names: "shard-"
  std::string what;            // "teacher cache"
  std::string record;          // "sample"
  std::string remedy;          // what to do about a damaged file
  std::string origin;          // fingerprint of what all values depend on
  std::string other_origin;    // what is said of a file of another origin
  std::vector<Values> values;  // a record has as many rows of each

  int64_t bytes_per_row() const;
};

/// The shard number `number` of a folder: "shard-00007.safetensors".
std::filesystem::path shard_path(const std::filesystem::path& folder, const std::string& prefix, int64_t number);
/// The shards in a folder, by number.
std::vector<std::filesystem::path> find_shards(const std::filesystem::path& folder, const std::string& prefix);

/// The records of a folder, in the order in which they came. The files are mapped: they cost page cache, and some 60
/// bytes of memory a record. Used by one thread, but for read_ahead.
class RecordShards {
 public:
  /// Maps the shards in `folder` and checks everything but their values: names, dtypes, shapes, the order of the
  /// starts, the checksum of the index, the origin. Error naming the file otherwise. A shard that is added ends before
  /// it has more than `shard_bytes` of values. One process at a time adds.
  RecordShards(std::filesystem::path folder, RecordFormat format, int64_t shard_bytes = 0);

  int64_t num_shards() const { return std::ssize(shards_); }
  /// Those that are not yet written included.
  int64_t num_records() const { return std::ssize(places_); }
  int64_t num_rows() const { return num_written_rows_ + num_pending_rows(); }
  /// Not yet written.
  int64_t num_pending() const { return std::ssize(pending_.keys); }

  bool has(uint64_t key) const { return places_.contains(key); }
  bool has_id(std::string_view id) const;
  /// A record's values, in the format's order, each [n, row]; nothing for an unknown key. Error when its checksum is
  /// wrong.
  std::optional<std::vector<at::Tensor>> find(uint64_t key);
  /// Has the system read a record's values in the background. Any thread, at any time.
  void read_ahead(uint64_t key) const;

  /// Writes a shard if what is pending and `num_rows` more are too many for one. So the records that follow, of
  /// `num_rows` rows in all, are in one shard.
  void make_room(int64_t num_rows);
  /// Adds a record: its values in the format's order, each [n, row], n > 0, are converted to the format's dtypes. `id`
  /// is for messages. False, and nothing changes, when the key is there already. After make_room().
  bool add(uint64_t key, std::string_view id, const std::vector<at::Tensor>& values);
  /// Writes what is pending, under the first free number. Error when that fails.
  void write_pending();
  /// The path with the first free number.
  std::filesystem::path next_path() const;

 private:
  struct Place {
    int64_t shard, record;  // shard num_shards() is the pending one
  };
  struct Shard {
    std::filesystem::path path;
    std::vector<at::Tensor> values;                      // [P, row] each
    at::Tensor keys, checksums, starts, id_starts, ids;  // [R] and [R] uint64, [R + 1] and [R + 1] int64, uint8
    std::vector<bool> verified;                          // of each record

    int64_t num_records() const { return keys.size(0); }
    std::vector<at::Tensor> record(int64_t index) const;
    std::string_view id(int64_t index) const;
    std::string index_checksum() const;
  };
  struct Pending {
    std::vector<at::Tensor> values;  // of which the first starts.back() rows are filled
    std::vector<uint64_t> keys, checksums;
    std::vector<int64_t> starts{0}, id_starts{0};
    std::string ids;
  };

  int64_t num_pending_rows() const { return pending_.starts.back(); }
  std::vector<at::Tensor> record(const Place& place) const;
  /// Puts the shard's records behind those that are there.
  Shard& open(const std::filesystem::path& path);
  Shard read(const std::filesystem::path& path) const;
  [[noreturn]] void fail_damaged(const std::filesystem::path& path, const std::string& problem) const;

  std::filesystem::path folder_;
  RecordFormat format_;
  int64_t max_rows_, room_rows_ = 0;  // of a shard; of the last room that was made
  std::vector<Shard> shards_;
  Pending pending_;
  std::unordered_map<uint64_t, Place> places_;
  int64_t num_written_rows_ = 0;
};

}  // namespace vlsi
