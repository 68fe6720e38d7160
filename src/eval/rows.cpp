#include "eval/rows.h"

#include <algorithm>

#include "base/quoted.h"
#include "data/json_records.h"
#include "data/mme_folder.h"
#include "data/table_record.h"

namespace vlsi {
namespace {

constexpr const char* kKey = "__key";

bool is_data_file(const std::filesystem::path& path) {
  const auto ending = path.extension();
  return ending == ".tsv" || ending == ".parquet" || ending == ".json" || ending == ".jsonl";
}

/// The records of a file that is one object of objects; nothing for a file of another form.
std::optional<std::vector<std::pair<std::string, Json>>> read_object(const std::filesystem::path& path) {
  const auto file = MappedFile::open(path);
  const auto text = file->text();
  const size_t first = text.find_first_not_of("\xEF\xBB\xBF \t\r\n");
  if (first == text.npos || text[first] != '{') return std::nullopt;
  const size_t line_end = std::min(text.find('\n', first), text.size());
  const bool one_line = text.find_first_not_of(" \t\r\n", line_end) == text.npos;
  // A record that is whole on the first of several lines has others behind it.
  if (!one_line && Json::accept(text.substr(first, line_end - first))) return std::nullopt;
  const Json all = parse_json(text, path.string());
  std::vector<std::pair<std::string, Json>> records;
  for (const auto& [key, value] : all.items()) {
    if (!value.is_object()) {
      refuse_inner_list(all, path.string());
      if (one_line) return std::nullopt;  // a single record
      fail(path.string(), ": key ", quoted(key), " is ", describe(value), ", expected the object of a record");
    }
    records.emplace_back(key, value);
  }
  return records;
}

}  // namespace

Rows::Rows(const std::filesystem::path& data) : path_(data) {
  if (!std::filesystem::is_directory(data)) {
    add_file(data);
  } else if (is_mme_folder(data)) {
    auto& file = files_.emplace_back();
    file.name = data.filename().string();
    file.values = read_mme_folder(data);
    for (int64_t i = 0; i < std::ssize(file.values); ++i) rows_.push_back({0, i});
  } else {
    add_folder(data);
  }
  if (!rows_.empty()) return;
  const bool has_pictures =
      std::any_of(files_.begin(), files_.end(), [](const File& file) { return !file.pictures.empty(); });
  fail(data.string(), ": has no rows", has_pictures ? " with a picture in column 'image'" : "");
}

void Rows::add_folder(const std::filesystem::path& data) {
  std::vector<std::filesystem::path> paths;
  for (const auto& entry : std::filesystem::directory_iterator(data)) {
    if (is_data_file(entry.path())) paths.push_back(entry.path());
  }
  std::sort(paths.begin(), paths.end());
  if (paths.empty()) fail(data.string(), ": the folder has no .tsv, .parquet, .json or .jsonl file");
  for (const auto& path : paths) add_file(path);
}

void Rows::add_file(const std::filesystem::path& path) {
  const auto ending = path.extension();
  if (ending == ".xlsx") fail(path.string(), ": is a spreadsheet, expected .tsv, .parquet, .json or .jsonl");
  auto& file = files_.emplace_back();
  const auto index = static_cast<int32_t>(files_.size() - 1);
  file.name = path.stem().string();
  int64_t count = 0;
  if (ending == ".tsv") {
    file.table.emplace(path);
    count = file.table->size();
    if (const auto column = file.table->column("image")) file.pictures = {*column};
  } else if (ending == ".parquet") {
    file.parquet = std::make_unique<ParquetFile>(path, cache_);
    count = file.parquet->size();
  } else if (auto values = read_object(path)) {
    file.values = *std::move(values);
    count = std::ssize(file.values);
  } else {
    file.records.emplace(path);
    count = file.records->size();
  }
  for (int64_t i = 0; i < count; ++i) {
    if (!file.pictures.empty() && !file.table->has(i, file.pictures[0])) continue;
    rows_.push_back({index, i});
  }
}

std::string Rows::place(int64_t row) const {
  const auto& file = files_[rows_[row].file];
  if (file.table) return concat(file.table->path().string(), ", row ", rows_[row].number + 1);
  if (file.parquet) return file.parquet->place(rows_[row].number);
  if (file.records) return concat(file.records->path().string(), ", record ", rows_[row].number + 1);
  return concat(path_.string(), ", key ", quoted(file.values[rows_[row].number].first));
}

Json Rows::row(int64_t row) const {
  const auto& file = files_[rows_[row].file];
  const int64_t number = rows_[row].number;
  if (file.table) return file.table->row(number, file.pictures);
  if (file.parquet) return file.parquet->row(number, ParquetFile::Columns::kValues);
  if (file.records) return file.records->json(number);
  Json value = file.values[number].second;
  value[kKey] = file.values[number].first;
  return value;
}

std::string Rows::file(int64_t row) const { return files_[rows_[row].file].name; }

std::optional<std::vector<Content>> Rows::table_pictures(int64_t row, const std::filesystem::path& images) const {
  const auto& file = files_[rows_[row].file];
  if (!file.table) return std::nullopt;
  return vlsi::table_pictures(*file.table, rows_[row].number, images, place(row));
}

Json Rows::picture_values(int64_t row) const {
  const auto& file = files_[rows_[row].file];
  if (!file.parquet) return Json::object();
  return file.parquet->row(rows_[row].number, ParquetFile::Columns::kPictures);
}

}  // namespace vlsi
