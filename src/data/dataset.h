// Data files indexed by record, whatever their format.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "data/conversation.h"
#include "data/decoded_rows.h"
#include "data/keep.h"
#include "data/stored_records.h"
#include "data/stretch.h"

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

/// One data file of a format of data_formats(), mapped and indexed, of which records may be left out.
class RecordFile : public Records {
 public:
  /// Finds the records without reading them; with `keep`, those that it is true of, and broken ones, which may be none
  /// (open_files refuses a source where all files are empty). Errors are those of the format and of `keep`. `images`:
  /// where relative picture paths start; empty for the data file's own folder. `cache`: of the rows of Parquet files
  /// that are read together; null for an own.
  explicit RecordFile(const std::filesystem::path& path, const std::filesystem::path& images = {},
                      std::shared_ptr<DecodedRowsCache> cache = nullptr, const Keep& keep = {});

  const std::filesystem::path& path() const override { return records_->file()->path(); }
  /// By which the file is known again: its size and the checksum of its bytes; of a Parquet file, which may have many
  /// gigabytes, that of its footer, where the place, size and statistics of all its parts stand, and of a tar that of
  /// its members' names, places, sizes and times.
  FileFingerprint fingerprint() const;
  int64_t size() const override { return is_whole_ ? records_->size() : std::ssize(kept_); }
  /// Records that the file has, left out or not.
  int64_t size_of_file() const { return records_->size(); }
  /// "path, record 12 (line 40)", records and lines counted from 1, those that are left out among them.
  std::string place(int64_t record) const override { return records_->place(number(record)); }
  /// Which record of the file it is, from 0, those that are left out among them.
  int64_t number(int64_t record) const { return is_whole_ ? record : kept_.at(record); }
  /// The record's JSON, as it stands in the file; of a table its cells by their columns, pictures among them.
  Json json(int64_t record) const { return records_->json(number(record)); }
  /// parse_conversation or conversation_of_row of it.
  Conversation read(int64_t record, bool answers_required = true) const override {
    return records_->read(number(record), images_, answers_required);
  }
  /// StoredRecords::stretches, of those that are kept.
  std::vector<Stretch> stretches() const;
  /// Error where the file at this path is not as it was when it was opened, by its size and time.
  void check_unchanged() const;

 private:
  struct Stamp {
    uintmax_t num_bytes = 0;
    std::filesystem::file_time_type time;
    bool operator==(const Stamp&) const = default;
  };
  static Stamp stamp_of(const std::filesystem::path& path);

  Stamp stamp_;  // taken before the file is opened
  std::shared_ptr<const StoredRecords> records_;
  std::filesystem::path images_;
  bool is_whole_ = true;
  std::vector<int64_t> kept_;  // numbers in the file, where some are left out
};

}  // namespace vlsi
