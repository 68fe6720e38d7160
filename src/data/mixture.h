// Mixtures of data, and the seeded order in which an epoch visits their records.
#pragma once

#include <cstdint>
#include <deque>
#include <random>
#include <vector>

#include "data/data_source.h"
#include "data/dataset.h"
#include "data/stretch.h"

namespace vlsi {

/// Several sources, each visited `weight` times an epoch: 2 gives every record twice, 0.5 a random half, anew each
/// epoch.
class Mixture {
 public:
  explicit Mixture(const std::vector<DataSource>& sources);

  /// Of decoded stretches that records are mixed over.
  static constexpr int64_t kMixedBytes = int64_t{96} << 20;

  struct Record {
    int32_t file;
    int64_t record;
  };
  /// Records in an epoch.
  int64_t size() const;
  /// The files of all sources, one source after the other.
  const RecordFile& file(int32_t index) const { return files_[index]; }
  int32_t num_files() const { return static_cast<int32_t>(files_.size()); }
  int32_t num_sources() const { return static_cast<int32_t>(sources_.size()); }
  int32_t source_of(int32_t file) const { return source_of_[file]; }
  /// The order of epoch `epoch`, a function of (seed, epoch) alone; the files' own order without `shuffle`. Records of
  /// stretches (RecordFile::stretches) are shuffled as far as memory allows: the stretches among all records, and then
  /// what stands within reach of kMixedBytes of them.
  std::vector<Record> order(uint64_t seed, int64_t epoch, bool shuffle) const;
  /// Error where a file is not as it was when it was opened.
  void check_unchanged() const;

 private:
  struct Source {
    int32_t first_file, end_file;
    int64_t num_records;
    double weight;
  };
  void add_part(int32_t source, int64_t count, std::mt19937_64 random, std::vector<Record>& order) const;
  void shuffle_stretches(std::vector<Record>& order, std::mt19937_64& random) const;

  std::deque<RecordFile> files_;
  std::vector<int32_t> source_of_;  // of each file
  std::vector<Source> sources_;
  std::vector<std::vector<Stretch>> stretches_;  // of each file
};

}  // namespace vlsi
