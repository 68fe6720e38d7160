// The files of a benchmark as rows: a table, a Parquet file, a JSON array, a record a line, an object of records by
// their ids, or a folder of such files.
#pragma once

#include <cstdint>
#include <deque>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "data/conversation.h"
#include "data/dataset.h"
#include "data/parquet_file.h"
#include "data/table_record.h"
#include "data/tsv_file.h"

namespace vlsi {

class Rows {
 public:
  /// `data`: a .tsv or .parquet file (TsvFile, ParquetFile), a JSON or JSONL file, or a folder whose files of these
  /// kinds are read in the order of their names, or MME's folder (data/mme_folder.h). Of an object of objects each is a
  /// row, with its key under
  /// "__key". Rows of a table with pictures (a column `image`) that have none are left out. Error for files of other
  /// kinds.
  explicit Rows(const std::filesystem::path& data);

  const std::filesystem::path& path() const { return path_; }
  int64_t size() const { return static_cast<int64_t>(rows_.size()); }
  std::string place(int64_t row) const;
  /// The row's values by name, without pictures of a table, and without the bytes of those of a Parquet file.
  Json row(int64_t row) const;
  /// The name of the row's file without its ending.
  std::string file(int64_t row) const;
  /// The row's number in its file, from 0.
  int64_t number(int64_t row) const { return rows_[row].number; }
  /// table_pictures of a table's row; nothing where the row is no table's.
  std::optional<std::vector<Content>> table_pictures(int64_t row, const std::filesystem::path& images) const;
  /// The picture columns of a Parquet file's row; an empty object where the row is no such file's.
  Json picture_values(int64_t row) const;

 private:
  struct File {
    std::string name;
    std::optional<TsvFile> table;
    std::unique_ptr<ParquetFile> parquet;
    std::optional<RecordFile> records;
    std::vector<std::pair<std::string, Json>> values;  // of an object of objects
    std::vector<size_t> pictures;                      // a table's column `image`
  };
  struct Place {
    int32_t file;
    int64_t number;
  };

  void add_file(const std::filesystem::path& path);
  void add_folder(const std::filesystem::path& data);

  std::filesystem::path path_;
  std::shared_ptr<DecodedRowsCache> cache_ = std::make_shared<DecodedRowsCache>();
  std::deque<File> files_;
  std::vector<Place> rows_;
};

}  // namespace vlsi
