// Tables in VLMEvalKit's format: a header and rows of cells between tabs, read as pandas reads them.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/json.h"
#include "base/mapped_file.h"

namespace vlsi {

/// Mapped and indexed: some 8 bytes of memory a row, whatever its length; the pages that the index was made from are
/// given back, and those of a long row whenever it was read.
///
/// A cell that begins with a quote ends with one: tabs and line ends inside belong to it, and two quotes are one. Other
/// cells may hold quotes. Lines end with LF, CR LF or CR; empty ones are passed over, as is a byte-order mark. A row
/// may have fewer cells than there are columns: those at the end are missing.
class TsvFile {
 public:
  /// Error naming the line for a file without a row, a column without a name or there twice, a row of too many cells, a
  /// quote that is never closed, a cell above kMostCellBytes, and for text that is not UTF-8 in the header.
  explicit TsvFile(const std::filesystem::path& path);

  static constexpr size_t kMostCellBytes = size_t{256} << 20;

  const std::shared_ptr<const MappedFile>& file() const { return file_; }
  const std::filesystem::path& path() const { return file_->path(); }
  int64_t size() const { return static_cast<int64_t>(offsets_.size()); }
  const std::vector<std::string>& columns() const { return columns_; }
  std::optional<size_t> column(std::string_view name) const;
  /// "path, row 12 (line 40)", rows counted from 1 without the header.
  std::string place(int64_t row) const;

  /// One cell without its quotes; empty for one that the row lacks.
  std::string cell(int64_t row, size_t column) const;
  /// Whether a cell is there and not missing (is_missing).
  bool has(int64_t row, size_t column) const;
  /// The row's cells that are not missing, by the names of their columns, but for the columns `left_out`.
  Json row(int64_t row, const std::vector<size_t>& left_out = {}) const;

  /// The row whose cell `index` is this text; the first call reads that column.
  std::optional<int64_t> find_index(const std::string& index) const;

  /// Whether pandas takes the text for a missing value: empty, NA, N/A, nan, null and the like. (Since pandas 2 it
  /// takes "None" for one, too; here it is a text.)
  static bool is_missing(std::string_view text);

 private:
  std::string_view text_of(int64_t row) const;
  void give_back(int64_t row) const;
  void read_header(std::string_view line);

  std::shared_ptr<const MappedFile> file_;
  std::vector<std::string> columns_;
  std::vector<uint64_t> offsets_;  // of each row's first byte
  std::vector<uint64_t> lines_;    // of every kRowsPerLineEntry-th row
  mutable std::once_flag indices_read_;
  mutable std::unordered_map<std::string, int64_t> indices_;
};

}  // namespace vlsi
