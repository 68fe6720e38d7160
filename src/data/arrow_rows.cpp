#include "data/arrow_rows.h"

#include <arrow/array.h>
#include <arrow/io/interfaces.h>
#include <arrow/memory_pool.h>
#include <arrow/record_batch.h>
#include <arrow/scalar.h>
#include <arrow/type.h>
#include <arrow/util/byte_size.h>
#include <arrow/util/float16.h>
#include <parquet/arrow/reader.h>
#include <parquet/file_reader.h>
#include <parquet/metadata.h>

#include <algorithm>
#include <cmath>
#include <stdexcept>
#include <string_view>
#include <utility>

#include "base/utf8.h"

namespace vlsi {
namespace {

constexpr int64_t kMostMemory = int64_t{2} << 30;               // of one reader and of its rows in the cache
constexpr int64_t kBatchBytes = 1 << 20, kMostBatchRows = 128;  // of a step

void check(const arrow::Status& status) {
  if (!status.ok()) throw std::runtime_error(status.message());
}

template <class T>
T value_of(arrow::Result<T> result) {
  check(result.status());
  return std::move(result).ValueUnsafe();
}

Json json_of(const arrow::Array& array, int64_t index);

template <class T>
const T& as(const arrow::Array& array) {
  return static_cast<const T&>(array);
}

Json text(std::string_view bytes) {
  return find_invalid_utf8(bytes) == bytes.npos ? std::string(bytes) : replace_invalid_utf8(bytes);
}

Json binary(std::string_view bytes) { return Json::binary({bytes.begin(), bytes.end()}); }

template <class T>
Json list(const arrow::Array& array, int64_t index) {
  const auto& lists = as<T>(array);
  Json values = Json::array();
  const int64_t begin = lists.value_offset(index), end = begin + lists.value_length(index);
  for (int64_t i = begin; i < end; ++i) values.push_back(json_of(*lists.values(), i));
  return values;
}

Json map(const arrow::MapArray& maps, int64_t index) {
  Json values = Json::array();
  for (int64_t i = maps.value_offset(index); i < maps.value_offset(index + 1); ++i) {
    values.push_back({{"key", json_of(*maps.keys(), i)}, {"value", json_of(*maps.items(), i)}});
  }
  return values;
}

Json object(const arrow::StructArray& structs, int64_t index) {
  Json values = Json::object();
  for (int i = 0; i < structs.num_fields(); ++i) {
    values[text(structs.struct_type()->field(i)->name()).get<std::string>()] = json_of(*structs.field(i), index);
  }
  return values;
}

/// Null for NaN, which is what pandas writes for no value.
Json number_or_null(double value) { return std::isnan(value) ? Json() : Json(value); }

Json other(const arrow::Array& array, int64_t index) { return text(value_of(array.GetScalar(index))->ToString()); }

Json json_of(const arrow::Array& array, int64_t index) {
  if (array.IsNull(index)) return nullptr;
  switch (array.type_id()) {
    case arrow::Type::BOOL: return as<arrow::BooleanArray>(array).Value(index);
    case arrow::Type::INT8: return as<arrow::Int8Array>(array).Value(index);
    case arrow::Type::INT16: return as<arrow::Int16Array>(array).Value(index);
    case arrow::Type::INT32: return as<arrow::Int32Array>(array).Value(index);
    case arrow::Type::INT64: return as<arrow::Int64Array>(array).Value(index);
    case arrow::Type::UINT8: return as<arrow::UInt8Array>(array).Value(index);
    case arrow::Type::UINT16: return as<arrow::UInt16Array>(array).Value(index);
    case arrow::Type::UINT32: return as<arrow::UInt32Array>(array).Value(index);
    case arrow::Type::UINT64: return as<arrow::UInt64Array>(array).Value(index);
    case arrow::Type::HALF_FLOAT:
      return number_or_null(arrow::util::Float16::FromBits(as<arrow::HalfFloatArray>(array).Value(index)).ToDouble());
    case arrow::Type::FLOAT: return number_or_null(as<arrow::FloatArray>(array).Value(index));
    case arrow::Type::DOUBLE: return number_or_null(as<arrow::DoubleArray>(array).Value(index));
    case arrow::Type::STRING: return text(as<arrow::StringArray>(array).GetView(index));
    case arrow::Type::LARGE_STRING: return text(as<arrow::LargeStringArray>(array).GetView(index));
    case arrow::Type::STRING_VIEW: return text(as<arrow::StringViewArray>(array).GetView(index));
    case arrow::Type::BINARY: return binary(as<arrow::BinaryArray>(array).GetView(index));
    case arrow::Type::LARGE_BINARY: return binary(as<arrow::LargeBinaryArray>(array).GetView(index));
    case arrow::Type::BINARY_VIEW: return binary(as<arrow::BinaryViewArray>(array).GetView(index));
    case arrow::Type::FIXED_SIZE_BINARY: return binary(as<arrow::FixedSizeBinaryArray>(array).GetView(index));
    case arrow::Type::LIST: return list<arrow::ListArray>(array, index);
    case arrow::Type::LARGE_LIST: return list<arrow::LargeListArray>(array, index);
    case arrow::Type::FIXED_SIZE_LIST: return list<arrow::FixedSizeListArray>(array, index);
    case arrow::Type::MAP: return map(as<arrow::MapArray>(array), index);
    case arrow::Type::STRUCT: return object(as<arrow::StructArray>(array), index);
    case arrow::Type::DICTIONARY: {
      const auto& dictionary = as<arrow::DictionaryArray>(array);
      return json_of(*dictionary.dictionary(), dictionary.GetValueIndex(index));
    }
    case arrow::Type::EXTENSION: return json_of(*as<arrow::ExtensionArray>(array).storage(), index);
    default: return other(array, index);
  }
}

/// The memory of a reader, in which its rows stay.
struct Memory {
  arrow::ProxyMemoryPool counted{arrow::default_memory_pool()};  // (glibc would keep more of what is freed)
  arrow::CappedMemoryPool capped{&counted, kMostMemory};
};

struct ArrowRows : DecodedRows {
  void add_values(int64_t row, Json& values) const override {
    const auto batch = std::upper_bound(ends.begin(), ends.end(), row) - ends.begin();
    const int64_t begin = batch == 0 ? first : ends[batch - 1];
    const auto& columns = *batches[batch];
    for (int i = 0; i < columns.num_columns(); ++i) {
      values[columns.column_name(i)] = json_of(*columns.column(i), row - begin);
    }
  }

  std::shared_ptr<Memory> memory;  // first: it outlives what is in it
  std::shared_ptr<GroupReader> reader;
  std::vector<std::shared_ptr<arrow::RecordBatch>> batches;
  std::vector<int64_t> ends;  // of the batches, in rows of the group
};

class ArrowGroupReader : public GroupReader, public std::enable_shared_from_this<ArrowGroupReader> {
 public:
  ArrowGroupReader(const std::shared_ptr<arrow::io::RandomAccessFile>& file,
                   const std::shared_ptr<parquet::FileMetaData>& metadata, int group, const std::vector<int>& leaves)
      : group_(group) {
    const auto about = metadata->RowGroup(group);
    num_rows_ = about->num_rows();
    int64_t num_bytes = 0;
    for (const int leaf : leaves) {
      num_bytes += std::clamp<int64_t>(about->ColumnChunk(leaf)->total_uncompressed_size(), 0, int64_t{1} << 40);
    }
    parquet::ReaderProperties reading(&memory_->capped);
    reading.set_page_checksum_verification(true);
    parquet::ArrowReaderProperties properties(/*use_threads=*/false);
    properties.set_pre_buffer(false);
    properties.set_batch_size(
        std::clamp<int64_t>(kBatchBytes / (num_bytes / std::max<int64_t>(1, num_rows_) + 1), 1, kMostBatchRows));
    reader_ = value_of(parquet::arrow::FileReader::Make(
        &memory_->capped, parquet::ParquetFileReader::Open(file, reading, metadata), properties));
    batches_ = value_of(reader_->GetRecordBatchReader({group}, leaves));
  }

  int group() const override { return group_; }
  int64_t position() const override { return position_; }

  std::shared_ptr<const DecodedRows> next() override {
    if (position_ == num_rows_) return nullptr;
    auto rows = std::make_shared<ArrowRows>();
    rows->memory = memory_;
    rows->reader = shared_from_this();
    rows->first = position_;
    while (rows->num_bytes < kDecodedBytes && position_ < num_rows_) {
      std::shared_ptr<arrow::RecordBatch> batch;
      check(batches_->ReadNext(&batch));
      if (!batch || batch->num_rows() == 0) {
        throw std::runtime_error(concat("ends after ", position_, " rows, expected ", num_rows_));
      }
      position_ += batch->num_rows();
      rows->num_bytes += arrow::util::TotalBufferSize(*batch);
      rows->ends.push_back(position_);
      rows->batches.push_back(std::move(batch));
    }
    rows->end = position_;
    if (position_ == num_rows_) {
      batches_ = nullptr;
      reader_ = nullptr;
    }
    return rows;
  }

 private:
  const std::shared_ptr<Memory> memory_ = std::make_shared<Memory>();
  const int group_;
  int64_t num_rows_ = 0, position_ = 0;
  std::unique_ptr<parquet::arrow::FileReader> reader_;
  std::unique_ptr<arrow::RecordBatchReader> batches_;
};

}  // namespace

std::shared_ptr<GroupReader> read_group(const std::shared_ptr<arrow::io::RandomAccessFile>& file,
                                        const std::shared_ptr<parquet::FileMetaData>& metadata, int group,
                                        const std::vector<int>& leaves) {
  return std::make_shared<ArrowGroupReader>(file, metadata, group, leaves);
}

}  // namespace vlsi
