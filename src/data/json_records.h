// JSON arrays and JSONL files of records, found by their brackets.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "data/stored_records.h"

namespace vlsi {

/// Error naming `place` for an object that is no record but has records in a list of its own, under `data`, `questions`
/// or `annotations`, as the files of TextVQA, DocVQA and SEED-Bench do.
void refuse_inner_list(const Json& object, const std::string& place);

/// Mapped and indexed: 8 bytes of memory a record, whatever its length. Records are parsed when they are read.
class JsonRecords : public StoredRecords {
 public:
  /// Error for an empty file, a file that is neither an array of objects nor a line of JSON a record, or a cut-off
  /// array, and refuse_inner_list's; a byte-order mark is passed over.
  explicit JsonRecords(const std::filesystem::path& path);

  const std::shared_ptr<const MappedFile>& file() const override { return file_; }
  int64_t size() const override { return static_cast<int64_t>(offsets_.size()); }
  /// "path, record 12 (line 40)", records and lines counted from 1.
  std::string place(int64_t record) const override;
  Json json(int64_t record) const override;
  Conversation read(int64_t record, const std::filesystem::path& images, bool answers_required) const override;
  /// Of all bytes.
  uint64_t checksum() const override;
  void for_each(const std::vector<std::string>& names, const Visit& visit) const override;

 private:
  std::string_view text_of(int64_t record) const;

  std::shared_ptr<const MappedFile> file_;
  bool is_array_ = false;
  std::vector<uint64_t> offsets_;  // of each record's first byte
  std::vector<uint64_t> lines_;    // of every 1,024th record, so that a place is found without reading the file again
};

}  // namespace vlsi
