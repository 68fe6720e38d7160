// What a data file's format does: its records by number, as JSON and as conversations.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/mapped_file.h"
#include "base/table.h"
#include "data/conversation.h"
#include "data/decoded_rows.h"
#include "data/stretch.h"

namespace vlsi {

/// The records of one file. Any number of threads may read them.
class StoredRecords {
 public:
  virtual ~StoredRecords() = default;

  virtual const std::shared_ptr<const MappedFile>& file() const = 0;
  virtual int64_t size() const = 0;
  /// Where a record is, for messages.
  virtual std::string place(int64_t record) const = 0;
  /// Its values by their names, pictures among them.
  virtual Json json(int64_t record) const = 0;
  /// Error naming file and record for one that is no conversation, or, with `answers_required`, has no answer.
  virtual Conversation read(int64_t record, const std::filesystem::path& images, bool answers_required) const = 0;
  /// Of what stands for the file's content, by which it is known again.
  virtual uint64_t checksum() const = 0;
  /// The runs of records that cost most alone, one after the other; none where each is by itself.
  virtual std::vector<Stretch> stretches() const { return {}; }
  /// Of a record in for_each: its number and its values, null for a record of which they cannot be read.
  using Visit = std::function<void(int64_t, const Json*)>;
  /// Calls `visit` for each record, in their order; the values are those of `names` or more, but need not have a
  /// picture that stands outside of the record (in a tar), nor the bytes of one that may have a path, too. Error for a
  /// name that the file cannot have.
  virtual void for_each(const std::vector<std::string>& names, const Visit& visit) const = 0;
  /// Whether values have no types but are texts, numbers among them.
  virtual bool numbers_are_texts() const { return false; }
};

/// A format, by the endings of its files' names.
struct DataFormat {
  std::string_view name;  // the ending, with its dot
  std::string_view meaning;
  /// Finds the records. Error naming the file for one that is of another format, or has none.
  std::shared_ptr<const StoredRecords> (*open)(const std::filesystem::path& path,
                                               std::shared_ptr<DecodedRowsCache> cache);
  bool is_json = false;
};

/// In the order in which a directory's files are looked for.
Table<DataFormat>& data_formats();

/// "Parquet (.parquet), a webdataset (.tar), ...", for help.
std::string describe_data_formats();

/// By the ending of the name; files of other endings are taken for JSON.
std::shared_ptr<const StoredRecords> open_records(const std::filesystem::path& path,
                                                  std::shared_ptr<DecodedRowsCache> cache);

}  // namespace vlsi
