// Data files indexed by record, mixtures of them, and the seeded order in which an epoch visits their records.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "base/mapped_file.h"
#include "data/conversation.h"
#include "data/parquet_file.h"
#include "data/tsv_file.h"

namespace vlsi {

/// Conversations by number, read when they are wanted.
class Records {
 public:
  virtual ~Records() = default;
  /// The file or folder that they are in.
  virtual const std::filesystem::path& path() const = 0;
  virtual int64_t size() const = 0;
  /// Where one is, for messages.
  virtual std::string place(int64_t record) const = 0;
  /// Error for a record that is none, or, with `answers_required`, has no answer.
  virtual Conversation read(int64_t record, bool answers_required = true) const = 0;
};

struct FileFingerprint {
  std::string name;  // without its folder
  int64_t bytes = 0;
  std::string checksum;  // XXH3, in hexadecimal
};

/// One JSON array or JSONL file of records, or a table (.tsv or .parquet, conversation_of_row in data/table_record.h),
/// mapped and indexed: 8 bytes of memory a record, whatever its length; for Parquet see ParquetFile.
class RecordFile : public Records {
 public:
  /// Finds the records without parsing them. Error for an empty file, a file that is neither an array of objects nor a
  /// line of JSON a record, or a cut-off array; a byte-order mark is passed over. `images`: where relative picture
  /// paths start; empty for the data file's own folder. `cache`: of the rows of Parquet files that are read together;
  /// null for an own.
  explicit RecordFile(const std::filesystem::path& path, const std::filesystem::path& images = {},
                      std::shared_ptr<DecodedRowsCache> cache = nullptr);

  const std::filesystem::path& path() const override { return file_->path(); }
  /// By which the file is known again: its size and the checksum of its bytes; of a Parquet file, which may have many
  /// gigabytes, that of its footer, where the place, size and statistics of all its parts stand.
  FileFingerprint fingerprint() const;
  int64_t size() const override;
  /// "path, record 12 (line 40)", records and lines counted from 1.
  std::string place(int64_t record) const override;
  /// The record's JSON, as it stands in the file; of a table its cells by their columns, pictures among them.
  Json json(int64_t record) const;
  /// parse_conversation or conversation_of_row of it.
  Conversation read(int64_t record, bool answers_required = true) const override;
  /// The runs of records that cost most alone, one after the other (ParquetFile::stretches); none where each is by
  /// itself.
  std::vector<ParquetFile::Stretch> stretches() const;

 private:
  std::string_view text_of(int64_t record) const;

  std::shared_ptr<const MappedFile> file_;
  std::shared_ptr<const TsvFile> table_;  // at most one of the two: of a file of this kind
  std::shared_ptr<const ParquetFile> parquet_;
  std::filesystem::path images_;
  bool is_array_ = false;
  std::vector<uint64_t> offsets_;  // of each record's first byte
  std::vector<uint64_t> lines_;    // of every 1,024th record, so that a place is found without reading the file again
};

struct DataSource {
  std::filesystem::path path, images;
  double weight = 1.0;
};

/// Several files, each visited `weight` times an epoch: 2 gives every record twice, 0.5 a random half, anew each epoch.
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
  const RecordFile& file(int32_t index) const { return files_[index]; }
  int32_t num_files() const { return static_cast<int32_t>(files_.size()); }
  /// The order of epoch `epoch`, a function of (seed, epoch) alone; the files' own order without `shuffle`. Records of
  /// stretches (RecordFile::stretches) are shuffled as far as memory allows: the stretches among all records, and then
  /// what stands within reach of kMixedBytes of them.
  std::vector<Record> order(uint64_t seed, int64_t epoch, bool shuffle) const;

 private:
  void shuffle_stretches(std::vector<Record>& order, std::mt19937_64& random) const;

  std::vector<RecordFile> files_;
  std::vector<double> weights_;
  std::vector<std::vector<ParquetFile::Stretch>> stretches_;  // of each file
};

}  // namespace vlsi
