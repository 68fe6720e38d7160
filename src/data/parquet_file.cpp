#include "data/parquet_file.h"

#include <arrow/buffer.h>
#include <arrow/io/memory.h>
#include <arrow/type.h>
#include <c10/util/Exception.h>
#include <parquet/arrow/reader.h>
#include <parquet/arrow/schema.h>
#include <parquet/exception.h>
#include <parquet/file_reader.h>
#include <parquet/metadata.h>

#include <algorithm>
#include <cstring>
#include <map>
#include <mutex>
#include <new>
#include <stdexcept>
#include <utility>

#include "base/contains.h"
#include "base/quoted.h"
#include "base/utf8.h"
#include "data/arrow_rows.h"

namespace vlsi {
namespace {

constexpr std::string_view kMagic = "PAR1", kEncryptedMagic = "PARE";
constexpr size_t kTailBytes = 8;              // the footer's length and the magic
constexpr int64_t kMostRowsOfByte = 1024;     // a bound of its own: what a file says must not fill the memory
constexpr int64_t kMostElements = 1'000'000;  // of a list in the footer
constexpr int64_t kMostGroupBytes = int64_t{1} << 40;
constexpr size_t kMostMessage = 200;

std::string shortened(const char* message) { return printable(std::string_view(message).substr(0, kMostMessage)); }

/// What `action` returns. Of exceptions of Arrow and Parquet an Error that begins with `place`.
template <class Action>
auto guarded(const std::string& place, const Action& action) {
  try {
    return action();
  } catch (const Error&) {
    throw;
  } catch (const std::bad_alloc&) {
    throw;
  } catch (const std::exception& error) {
    fail(place, ": ", shortened(error.what()));
  }
}

bool is_bytes(const arrow::DataType& type) {
  return type.id() == arrow::Type::BINARY || type.id() == arrow::Type::LARGE_BINARY ||
         type.id() == arrow::Type::BINARY_VIEW || type.id() == arrow::Type::FIXED_SIZE_BINARY;
}

bool is_picture(const arrow::DataType& type) {
  if (is_bytes(type)) return true;
  if (type.id() == arrow::Type::STRUCT) {
    const auto& fields = type.fields();
    return std::any_of(fields.begin(), fields.end(), [](const auto& field) { return is_bytes(*field->type()); });
  }
  const bool is_list = type.id() == arrow::Type::LIST || type.id() == arrow::Type::LARGE_LIST ||
                       type.id() == arrow::Type::FIXED_SIZE_LIST;
  return is_list && is_picture(*type.field(0)->type());
}

}  // namespace

struct ParquetFile::State {
  State(const std::filesystem::path& path, std::shared_ptr<DecodedRowsCache> shared)
      : mapped(MappedFile::open(path)),
        footer(find_footer()),
        cache(shared ? std::move(shared) : std::make_shared<DecodedRowsCache>()),
        number_in_cache(cache->new_file()) {
    guarded(name() + ": its footer", [&] {
      const auto* bytes = reinterpret_cast<const uint8_t*>(mapped->bytes().data());
      source =
          std::make_shared<arrow::io::BufferReader>(std::make_shared<arrow::Buffer>(bytes, mapped->bytes().size()));
      parquet::ReaderProperties properties;
      // An element takes a byte, so the footer's own size bounds what it can have.
      properties.set_thrift_container_size_limit(static_cast<int32_t>(std::min<int64_t>(footer.size(), kMostElements)));
      properties.set_thrift_string_size_limit(static_cast<int32_t>(footer.size()));
      metadata = parquet::ParquetFileReader::Open(source, properties)->metadata();
    });
    check_groups();
    read_schema();
  }
  ~State() { cache->forget(number_in_cache); }

  std::string name() const { return mapped->path().string(); }

  /// The footer, found by the file's last bytes.
  std::string_view find_footer() const {
    const auto text = mapped->text();
    if (text.starts_with(kEncryptedMagic) || text.ends_with(kEncryptedMagic)) {
      fail(name(), ": is encrypted, expected a Parquet file that is not");
    }
    if (!text.starts_with(kMagic)) fail(name(), ": does not begin with PAR1, as Parquet files do");
    if (text.size() < kMagic.size() + kTailBytes || !text.ends_with(kMagic)) {
      fail(name(), ": does not end with PAR1, as Parquet files do: it is cut off");
    }
    uint32_t size = 0;
    std::memcpy(&size, text.data() + text.size() - kTailBytes, sizeof size);
    const size_t most = text.size() - kMagic.size() - kTailBytes;
    if (size == 0 || size > most) {
      fail(name(), ": its footer is to have ", size, " bytes, expected 1 to ", most, ", as the file's size allows");
    }
    return text.substr(text.size() - kTailBytes - size, size);
  }

  /// The rows of each group, and that its parts lie in the file.
  void check_groups() {
    int64_t num_rows = 0;
    const int64_t most_rows = static_cast<int64_t>(mapped->bytes().size()) * kMostRowsOfByte;
    for (int group = 0; group < metadata->num_row_groups(); ++group) {
      guarded(group_place(group), [&] {
        const auto about = metadata->RowGroup(group);
        if (about->num_rows() < 0 || about->num_rows() > most_rows - num_rows) {
          fail(group_place(group), ": is to have ", about->num_rows(), " rows, expected at most ", most_rows,
               " in a file of ", mapped->bytes().size(), " bytes");
        }
        num_rows += about->num_rows();
        for (int i = 0; i < about->num_columns() && about->num_rows() > 0; ++i) check_chunk(group, *about, i);
      });
      group_ends.push_back(num_rows);
    }
    if (num_rows != metadata->num_rows()) {
      fail(name(), ": its footer says that it has ", metadata->num_rows(), " rows, but its row groups have ", num_rows);
    }
    if (num_rows == 0) fail(name(), ": holds no rows, expected at least one");
  }

  void check_chunk(int group, const parquet::RowGroupMetaData& about, int column) const {
    const auto name_of_column = metadata->schema()->Column(column)->path()->ToDotString();
    const auto place = concat(group_place(group), ", column '", printable(name_of_column), "'");
    std::unique_ptr<parquet::ColumnChunkMetaData> chunk;
    try {
      chunk = about.ColumnChunk(column);
    } catch (const parquet::ParquetException&) {
      if (!metadata->is_encryption_algorithm_set()) throw;
    }
    if (!chunk || chunk->crypto_metadata()) fail(place, ": is encrypted, expected a column that is not");
    const int64_t begin = first_byte(*chunk), size = chunk->total_compressed_size(), first = kMagic.size();
    const int64_t end = footer.data() - mapped->text().data();
    if (begin < first || size < 0 || begin > end || size > end - begin) {
      fail(place, ": is to have ", size, " bytes from byte ", begin, ", expected some between bytes ", first, " and ",
           end, ", where the footer begins");
    }
  }

  static int64_t first_byte(const parquet::ColumnChunkMetaData& chunk) {
    const int64_t data = chunk.data_page_offset();
    const int64_t dictionary = chunk.has_dictionary_page() ? chunk.dictionary_page_offset() : 0;
    return dictionary > 0 ? std::min(data, dictionary) : data;
  }

  void read_schema() {
    std::unique_ptr<parquet::arrow::FileReader> reader;
    guarded(name() + ": its schema", [&] {
      auto opened = parquet::ParquetFileReader::Open(source, parquet::ReaderProperties(), metadata);
      auto made = parquet::arrow::FileReader::Make(arrow::default_memory_pool(), std::move(opened));
      if (!made.ok()) throw std::runtime_error(made.status().message());
      reader = std::move(made).ValueUnsafe();
    });
    for (const auto& field : reader->manifest().schema_fields) {
      const auto& column = field.field->name();
      if (find_invalid_utf8(column) != column.npos) fail(name(), ": a column's name is no UTF-8");
      if (contains(columns, column)) fail(name(), ": column ", quoted(column), " is there twice");
      columns.push_back(column);
      const bool has_pictures = is_picture(*field.field->type());
      if (has_pictures) picture_columns.push_back(column);
      add_leaves(field, has_pictures, column);
    }
  }

  void add_leaves(const parquet::arrow::SchemaField& field, bool in_picture, const std::string& column) {
    for (const auto& child : field.children) add_leaves(child, in_picture, column);
    if (!field.is_leaf()) return;
    const auto add = [&](Decoder& decoder) {
      decoder.leaves.push_back(field.column_index);
      decoder.columns.push_back(column);
    };
    if (in_picture) add(pictures);
    if (!in_picture || !is_bytes(*field.field->type())) add(values);
  }

  int group_of(int64_t row) const {
    return static_cast<int>(std::upper_bound(group_ends.begin(), group_ends.end(), row) - group_ends.begin());
  }
  int64_t first_row(int group) const { return group == 0 ? 0 : group_ends[group - 1]; }
  std::string group_place(int group) const { return concat(name(), ", row group ", group + 1); }

  /// Reads some of the columns, or some of what is in them.
  struct Decoder {
    explicit Decoder(int32_t key) : number(key) {}

    int32_t number;  // in the cache
    std::vector<int> leaves;
    std::vector<std::string> columns;  // that each of them belongs to
    std::mutex mutex;
    std::weak_ptr<GroupReader> reader;                        // lives with its rows in the cache
    std::map<int, std::pair<int64_t, std::string>> failures;  // of groups: from which row on, and why
  };

  void add_values(Decoder& decoder, int64_t row, Json& to) {
    if (decoder.leaves.empty()) return;
    const int group = group_of(row);
    const int64_t number = row - first_row(group);
    const DecodedRowsCache::Key key{number_in_cache, group, decoder.number};
    auto rows = cache->find(key, number);
    if (!rows) {
      const std::scoped_lock lock(decoder.mutex);
      rows = cache->find(key, number);  // another thread may have been before
      if (!rows) cache->add(key, rows = decode(decoder, group, number));
    }
    guarded(group_place(group), [&] { rows->add_values(number, to); });
  }

  std::shared_ptr<const DecodedRows> decode(Decoder& decoder, int group, int64_t row) const {
    const auto known = decoder.failures.find(group);
    if (known != decoder.failures.end() && row >= known->second.first) throw Error(known->second.second);
    auto reader = decoder.reader.lock();
    try {
      if (!reader || reader->group() != group || reader->position() > row) {
        reader = read_group(source, metadata, group, decoder.leaves);
        decoder.reader = reader;
      }
      std::shared_ptr<const DecodedRows> rows;
      while (reader->position() <= row) rows = reader->next();
      if (first_row(group) + rows->end == group_ends[group]) release_group(decoder, group);
      return rows;
    } catch (const std::bad_alloc&) {
      throw;
    } catch (const std::exception& error) {
      const auto message = failure_of_column(decoder, group, error.what());
      decoder.failures[group] = {reader ? reader->position() : 0, message};
      decoder.reader.reset();
      throw Error(message);
    }
  }

  /// Of a damaged group: what row() gives or, where that is an Error, null.
  void visit_alone(int64_t row, const std::function<void(int64_t, const Json*)>& visit) {
    Json cells = Json::object();
    try {
      for (auto* decoder : {&values, &pictures}) add_values(*decoder, row, cells);
    } catch (const Error&) {
      return visit(row, nullptr);
    }
    visit(row, &cells);
  }

  void for_each(const std::vector<std::string>& names, const std::function<void(int64_t, const Json*)>& visit) {
    Decoder chosen(values.number);
    for (const auto& column : names) {
      if (!contains(columns, column)) fail(name(), ": has no column ", quoted(column));
      // A picture that is nothing but bytes is in no other leaf.
      const auto& from = contains(values.columns, column) ? values : pictures;
      for (size_t i = 0; i < from.leaves.size(); ++i) {
        if (from.columns[i] != column) continue;
        chosen.leaves.push_back(from.leaves[i]);
        chosen.columns.push_back(column);
      }
    }
    std::shared_ptr<const DecodedRows> rows;  // keeps the reader of the group alive
    for (int64_t row = 0; row < group_ends.back();) {
      const int group = group_of(row);
      try {
        rows = decode(chosen, group, row - first_row(group));
      } catch (const Error&) {
        for (; row < group_ends[group]; ++row) visit_alone(row, visit);
        continue;
      }
      guarded(group_place(group), [&] {
        for (const int64_t end = first_row(group) + rows->end; row < end; ++row) {
          Json cells = Json::object();
          rows->add_values(row - first_row(group), cells);
          visit(row, &cells);
        }
      });
    }
  }

  void release_group(const Decoder& decoder, int group) const {
    const auto about = metadata->RowGroup(group);
    for (const int leaf : decoder.leaves) {
      constexpr int64_t kPage = 4096;
      const auto chunk = about->ColumnChunk(leaf);
      const int64_t begin = first_byte(*chunk), end = begin + chunk->total_compressed_size();
      const int64_t first = (begin + kPage - 1) / kPage * kPage, last = end / kPage * kPage;
      if (first < last) release(mapped->bytes().subspan(first, last - first));
    }
  }

  /// The message with its place: the columns are decoded one by one to find the one that it is about.
  std::string failure_of_column(const Decoder& decoder, int group, const char* message) const {
    const auto& leaves = decoder.leaves;
    const auto& columns_of = decoder.columns;
    for (size_t first = 0, end = 0; first < leaves.size(); first = end) {
      while (end < leaves.size() && columns_of[end] == columns_of[first]) ++end;
      try {
        const auto reader = read_group(source, metadata, group, {leaves.begin() + first, leaves.begin() + end});
        while (reader->next()) continue;
      } catch (const std::bad_alloc&) {
        throw;
      } catch (const std::exception& error) {
        return concat(group_place(group), ", column ", quoted(columns_of[first]), ": ", shortened(error.what()));
      }
    }
    return concat(group_place(group), ": ", shortened(message));
  }

  std::shared_ptr<const MappedFile> mapped;
  std::string_view footer;
  std::shared_ptr<DecodedRowsCache> cache;
  int64_t number_in_cache;
  std::shared_ptr<arrow::io::RandomAccessFile> source;
  std::shared_ptr<parquet::FileMetaData> metadata;
  std::vector<int64_t> group_ends;
  std::vector<std::string> columns, picture_columns;
  Decoder values{0}, pictures{1};
};

ParquetFile::ParquetFile(const std::filesystem::path& path, std::shared_ptr<DecodedRowsCache> cache)
    : state_(std::make_unique<State>(path, std::move(cache))) {}

ParquetFile::~ParquetFile() = default;

const std::shared_ptr<const MappedFile>& ParquetFile::file() const { return state_->mapped; }
int64_t ParquetFile::size() const { return state_->group_ends.back(); }
const std::vector<std::string>& ParquetFile::columns() const { return state_->columns; }
const std::vector<std::string>& ParquetFile::picture_columns() const { return state_->picture_columns; }
std::string_view ParquetFile::footer() const { return state_->footer; }

std::string ParquetFile::place(int64_t row) const {
  return concat(state_->name(), ", row ", row + 1, " (row group ", state_->group_of(row) + 1, ")");
}

Json ParquetFile::row(int64_t row, Columns columns) const {
  TORCH_CHECK(row >= 0 && row < size(), "row ", row, " of ", size());
  Json values = Json::object();
  if (columns != Columns::kPictures) state_->add_values(state_->values, row, values);
  if (columns != Columns::kValues) state_->add_values(state_->pictures, row, values);
  return values;
}

void ParquetFile::for_each(const std::vector<std::string>& names,
                           const std::function<void(int64_t, const Json*)>& visit) const {
  state_->for_each(names, visit);
}

std::vector<Stretch> ParquetFile::stretches() const {
  std::vector<Stretch> stretches;
  for (int group = 0; group < state_->metadata->num_row_groups(); ++group) {
    const int64_t first = state_->first_row(group), num_rows = state_->group_ends[group] - first;
    if (num_rows == 0) continue;
    const int64_t num_bytes =
        std::clamp<int64_t>(state_->metadata->RowGroup(group)->total_byte_size(), 0, kMostGroupBytes);
    const int64_t num_stretches = std::clamp<int64_t>(num_bytes / kDecodedBytes + 1, 1, num_rows);
    for (int64_t i = 1; i <= num_stretches; ++i) {
      stretches.push_back({first + num_rows * i / num_stretches, num_bytes / num_stretches});
    }
  }
  return stretches;
}

}  // namespace vlsi
