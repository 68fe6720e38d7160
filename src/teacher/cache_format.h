// The files of a teacher cache: cache.json, which says what it was made from, and shards of records.
// (R records, P answer positions of a shard, L target layers and the last layer, D student width)
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "base/safetensors.h"
#include "objective/verbal_kl.h"

namespace vlsi {

/// What the values of a cache depend on. A run that can only know a part of it leaves the rest empty.
struct CacheOrigin {
  std::string tokenizer, chat_template, pre_processing;  // ProcessorFingerprint's
  std::string teacher, teacher_verbalizers, student_head;
  std::string dtype;            // of both models
  std::vector<int64_t> layers;  // target layers of the teacher; the last layer's rows follow them
  int64_t width = 0;            // D
  int64_t vocab_size = 0;       // rows that both heads have
};

/// cache.json.
struct CacheDescription {
  CacheOrigin origin;
  bool complete = false;                                       // all of the data that it was last made for are in
  int64_t num_shards = 0, num_samples = 0, num_positions = 0;  // of a complete one
};

std::filesystem::path description_path(const std::filesystem::path& cache);
/// Error for a directory without one, another format, and contents that contradict one another.
CacheDescription read_description(const std::filesystem::path& cache);
void write_description(const std::filesystem::path& cache, const CacheDescription& description);

/// In words, everything in which a cache's origin differs from what a run would make ("its tokenizer is .., the run's
/// is .."); empty when nothing does. What `run` leaves empty is not compared; with `any_layers`, the cache may hold
/// more layers.
std::string differences(const CacheOrigin& cache, const CacheOrigin& run, bool any_layers);

/// Bytes of an answer position: two a number of a row, four for the entropy, in every layer.
int64_t bytes_per_position(int64_t num_layers, int64_t width);

/// The number in a shard's file name; -1 for any other file.
int64_t shard_number(const std::filesystem::path& path);
std::filesystem::path shard_path(const std::filesystem::path& cache, int64_t number);
/// The shards in a cache, by number.
std::vector<std::filesystem::path> find_shards(const std::filesystem::path& cache);

/// The tensors of a shard; record r has positions starts[r] to starts[r + 1] and bytes id_starts[r] to [r + 1] of the
/// ids.
struct CacheShard {
  std::filesystem::path path;
  at::Tensor rows;       // [P, L, D] float16, TeacherSummary::expected_row
  at::Tensor entropy;    // [P, L] float32
  at::Tensor samples;    // [R] uint64, fingerprint_of the sample
  at::Tensor checksums;  // [R] uint64, record_checksum
  at::Tensor starts;     // [R + 1] int64
  at::Tensor id_starts;  // [R + 1] int64
  at::Tensor ids;        // bytes, uint8: for messages

  int64_t num_records() const { return samples.size(0); }
  int64_t num_positions() const { return rows.size(0); }
  uint64_t sample(int64_t record) const { return samples.const_data_ptr<uint64_t>()[record]; }
  int64_t start(int64_t record) const { return starts.const_data_ptr<int64_t>()[record]; }
  std::string id(int64_t record) const;

  /// Maps a shard and checks everything but its records' values: names, dtypes, shapes, the order of the starts, the
  /// checksum of the index, and that it is of a cache of `origin`. Error otherwise. No tensor is copied.
  static CacheShard open(const std::filesystem::path& path, const CacheOrigin& origin);
};

/// Writes the tensors of `shard` to its path, whole or not at all.
void write_shard(const CacheShard& shard, const CacheOrigin& origin);

/// XXH3 over the rows and entropies of a record, n positions, contiguous; `sample` is its seed, so that two records
/// that changed places are found.
uint64_t record_checksum(uint64_t sample, const at::Tensor& rows, const at::Tensor& entropy);

}  // namespace vlsi
