// Rows of a row group of a Parquet file: decoded by Arrow, read as JSON.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "data/decoded_rows.h"

namespace arrow::io {
class RandomAccessFile;
}
namespace parquet {
class FileMetaData;
}

namespace vlsi {

/// About what rows that are decoded together take.
inline constexpr int64_t kDecodedBytes = int64_t{32} << 20;

/// Decodes the rows of one group one after the other.
class GroupReader {
 public:
  virtual ~GroupReader() = default;
  virtual int group() const = 0;
  /// Rows decoded so far.
  virtual int64_t position() const = 0;
  /// The next rows, kDecodedBytes of them or to the end of the group, where the reader frees what it took; null behind
  /// that. They keep the reader alive. Throws std::exception for data that cannot be decoded, that end before the
  /// group's number of rows, or that take more than 2 GiB of memory.
  ///
  /// Values are null, booleans, numbers, texts (bytes that are no UTF-8 are replaced), bytes as binary JSON, lists, and
  /// structs and maps as objects and lists of {key, value}; what else there is (times, decimals) is the text that Arrow
  /// makes of it.
  virtual std::shared_ptr<const DecodedRows> next() = 0;
};

/// `leaves`: the columns of the file, counted without nesting. Throws std::exception.
std::shared_ptr<GroupReader> read_group(const std::shared_ptr<arrow::io::RandomAccessFile>& file,
                                        const std::shared_ptr<parquet::FileMetaData>& metadata, int group,
                                        const std::vector<int>& leaves);

}  // namespace vlsi
