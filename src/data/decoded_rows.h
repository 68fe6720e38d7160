// Rows of files that are decoded many at a time, kept in memory while there is room for them.
#pragma once

#include <compare>
#include <cstdint>
#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <utility>

#include "base/json.h"

namespace vlsi {

/// Consecutive rows of one row group, decoded.
struct DecodedRows {
  virtual ~DecodedRows() = default;
  /// The row's values by the names of their columns, into an object.
  virtual void add_values(int64_t row, Json& values) const = 0;

  int64_t first = 0, end = 0;  // counted in the group
  int64_t num_bytes = 0;
};

/// The rows that were used last, of several files that are read together; several threads may use it.
class DecodedRowsCache {
 public:
  static constexpr int64_t kMostBytes = int64_t{256} << 20;
  /// What was used longest ago goes when all take more than `most_bytes`; the last rows stay whatever they take.
  explicit DecodedRowsCache(int64_t most_bytes = kMostBytes) : most_bytes_(most_bytes) {}

  struct Key {
    int64_t file;
    int32_t group;
    int32_t columns;  // which of them
    auto operator<=>(const Key&) const = default;
  };

  /// A number for a file that no other file has.
  int64_t new_file();
  /// The rows that have row `row` of the group, or null.
  std::shared_ptr<const DecodedRows> find(const Key& key, int64_t row);
  void add(const Key& key, std::shared_ptr<const DecodedRows> rows);
  void forget(int64_t file);

 private:
  using Place = std::pair<Key, int64_t>;  // with the first row
  struct Entry {
    Place place;
    std::shared_ptr<const DecodedRows> rows;
  };
  void remove(std::list<Entry>::iterator entry);

  const int64_t most_bytes_;
  std::mutex mutex_;
  int64_t num_files_ = 0, num_bytes_ = 0;
  std::list<Entry> entries_;  // the one used last is in front
  std::map<Place, std::list<Entry>::iterator> places_;
};

}  // namespace vlsi
