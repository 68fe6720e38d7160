// Apache Parquet files as rows of JSON, with pictures as Hugging Face's data sets have them.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "base/mapped_file.h"
#include "data/decoded_rows.h"
#include "data/stretch.h"

namespace vlsi {

/// Mapped; nothing but the footer is read at first. A row is decoded with the rows around it, at most a row group and
/// about 32 MiB of them, and these stay in a cache. Of a larger group the rows before are decoded, too, and dropped;
/// rows in their order cost nothing twice. Any number of threads may read.
///
/// A picture column is bytes, a struct with a field of bytes (Hugging Face's {"bytes", "path"}), or a list of these.
class ParquetFile {
 public:
  /// Error naming file and column or row group for what is no Parquet file, one that is cut or encrypted, a footer that
  /// contradicts itself or the file's size, two columns of one name, and a file without rows. `cache`: null for an own.
  explicit ParquetFile(const std::filesystem::path& path, std::shared_ptr<DecodedRowsCache> cache = nullptr);
  ParquetFile(const ParquetFile&) = delete;
  ParquetFile& operator=(const ParquetFile&) = delete;
  ~ParquetFile();

  const std::shared_ptr<const MappedFile>& file() const;
  const std::filesystem::path& path() const { return file()->path(); }
  int64_t size() const;
  /// "path, row 12 (row group 2)", both counted from 1.
  std::string place(int64_t row) const;
  /// In the order of the schema.
  const std::vector<std::string>& columns() const;
  const std::vector<std::string>& picture_columns() const;
  /// What the file says of itself: schema, and place, size and statistics of each column of each row group.
  std::string_view footer() const;

  enum class Columns {
    kAll,
    kValues,    // all but the bytes of pictures, which are not read
    kPictures,  // picture columns
  };
  /// A row's values by the names of their columns, as GroupReader::next has them. Error naming file, row group and
  /// column for data that cannot be decoded, end too early, or take more than 2 GiB of memory at once.
  Json row(int64_t row, Columns columns) const;
  /// Calls `visit` with every row's number and its values of the columns `names`, which alone are decoded, once; the
  /// bytes of a picture only where its column has nothing else. From the first rows of a group on where these cannot be
  /// decoded, the values are all that row() has, or null where that is an Error. Error for a column that is not there.
  void for_each(const std::vector<std::string>& names, const std::function<void(int64_t, const Json*)>& visit) const;

  /// Rows that are decoded together, in bytes as the footer says.
  std::vector<Stretch> stretches() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace vlsi
