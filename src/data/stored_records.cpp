#include "data/stored_records.h"

#include <array>
#include <string>
#include <utility>

#include "base/checksum.h"
#include "base/error.h"
#include "data/json_records.h"
#include "data/page_giver.h"
#include "data/parquet_file.h"
#include "data/table_record.h"
#include "data/tar_records.h"
#include "data/tsv_file.h"

namespace vlsi {
namespace {

class ParquetRecords : public StoredRecords {
 public:
  ParquetRecords(const std::filesystem::path& path, std::shared_ptr<DecodedRowsCache> cache)
      : rows_(path, std::move(cache)) {}

  const std::shared_ptr<const MappedFile>& file() const override { return rows_.file(); }
  int64_t size() const override { return rows_.size(); }
  std::string place(int64_t record) const override { return rows_.place(record); }
  Json json(int64_t record) const override { return rows_.row(record, ParquetFile::Columns::kAll); }
  Conversation read(int64_t record, const std::filesystem::path& images, bool answers_required) const override {
    return conversation_of_row(rows_, record, images, place(record), answers_required);
  }
  uint64_t checksum() const override {
    Checksum checksum;
    checksum.update(rows_.footer());
    return checksum.value();
  }
  std::vector<Stretch> stretches() const override { return rows_.stretches(); }
  void for_each(const std::vector<std::string>& names, const Visit& visit) const override {
    rows_.for_each(names, visit);
  }

 private:
  ParquetFile rows_;
};

class TableRecords : public StoredRecords {
 public:
  explicit TableRecords(const std::filesystem::path& path) : table_(path) {}

  const std::shared_ptr<const MappedFile>& file() const override { return table_.file(); }
  int64_t size() const override { return table_.size(); }
  std::string place(int64_t record) const override { return table_.place(record); }
  Json json(int64_t record) const override { return table_.row(record); }
  Conversation read(int64_t record, const std::filesystem::path& images, bool answers_required) const override {
    // The number of the line costs a search, so only a row that is wrong pays for it.
    const auto read_at = [&](const std::string& place) {
      return conversation_of_row(table_, record, images, place, answers_required);
    };
    try {
      return read_at(table_.path().string());
    } catch (const Error&) {
      return read_at(place(record));
    }
  }
  uint64_t checksum() const override { return checksum_of(*table_.file()); }
  void for_each(const std::vector<std::string>& names, const Visit& visit) const override {
    std::vector<size_t> columns;
    for (const auto& name : names) {
      const auto column = table_.column(name);
      if (!column) fail(table_.path().string(), ": has no column '", name, "'");
      columns.push_back(*column);
    }
    for (int64_t row = 0; row < size(); ++row) {
      Json values = Json::object();
      for (size_t i = 0; i < names.size(); ++i) {
        auto text = table_.cell(row, columns[i]);
        if (!TsvFile::is_missing(text)) values[names[i]] = std::move(text);
      }
      visit(row, &values);
    }
  }

  bool numbers_are_texts() const override { return true; }

 private:
  TsvFile table_;
};

template <class Format>
std::shared_ptr<const StoredRecords> open_as(const std::filesystem::path& path, std::shared_ptr<DecodedRowsCache>) {
  return std::make_shared<const Format>(path);
}

std::shared_ptr<const StoredRecords> open_parquet(const std::filesystem::path& path,
                                                  std::shared_ptr<DecodedRowsCache> cache) {
  return std::make_shared<const ParquetRecords>(path, std::move(cache));
}

}  // namespace

Table<DataFormat>& data_formats() {
  static Table<DataFormat> table{{".parquet", "Parquet", open_parquet},
                                 {".tar", "a webdataset", open_as<TarRecords>},
                                 {".jsonl", "JSON lines", open_as<JsonRecords>, /*is_json=*/true},
                                 {".json", "JSON", open_as<JsonRecords>, /*is_json=*/true},
                                 {".tsv", "a table", open_as<TableRecords>}};
  return table;
}

std::string describe_data_formats() {
  std::string all;
  for (const auto& format : data_formats())
    all += concat(all.empty() ? "" : ", ", format.meaning, " (", format.name, ")");
  return all;
}

std::shared_ptr<const StoredRecords> open_records(const std::filesystem::path& path,
                                                  std::shared_ptr<DecodedRowsCache> cache) {
  const auto ending = path.extension().string();
  for (const char* packed : {".gz", ".tgz", ".zst", ".xz", ".bz2", ".zip"}) {
    if (ending == packed) fail(path.string(), ": is compressed, expected the file itself: unpack it first");
  }
  const auto* format = data_formats().find(ending);
  if (format == nullptr) return std::make_shared<const JsonRecords>(path);
  return format->open(path, std::move(cache));
}

}  // namespace vlsi
