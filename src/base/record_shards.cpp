#include "base/record_shards.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <span>

#include "base/checksum.h"
#include "base/error.h"
#include "base/mapped_file.h"
#include "base/safetensors.h"

namespace vlsi {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kSuffix = ".safetensors";

std::span<const std::byte> bytes_of(const at::Tensor& tensor) {
  return {static_cast<const std::byte*>(tensor.const_data_ptr()), tensor.nbytes()};
}

template <class T>
at::Tensor view_of(const std::vector<T>& values, at::ScalarType dtype) {
  return at::from_blob(const_cast<T*>(values.data()), {std::ssize(values)}, at::TensorOptions(dtype));
}

/// Of a record's values. The key is the seed, so that two records that changed places are found.
uint64_t checksum_of(uint64_t key, const std::vector<at::Tensor>& values) {
  Checksum checksum(key);
  for (const auto& tensor : values) checksum.update(bytes_of(tensor));
  return checksum.value();
}

/// The number in a shard's file name; -1 for any other file.
int64_t shard_number(const fs::path& path, std::string_view prefix) {
  const auto name = path.filename().string();
  if (!name.starts_with(prefix) || !name.ends_with(kSuffix)) return -1;
  const char* const begin = name.data() + prefix.size();
  const char* const end = name.data() + name.size() - kSuffix.size();
  int64_t number = -1;
  const auto [stopped, error] = std::from_chars(begin, end, number);
  return error == std::errc() && stopped == end ? number : -1;
}

/// Whether `starts` rises from 0 to `end`; `strictly`: with every record.
bool rises(const at::Tensor& starts, int64_t end, bool strictly) {
  const std::span values(starts.const_data_ptr<int64_t>(), static_cast<size_t>(starts.size(0)));
  const auto is_fall = [&](int64_t a, int64_t b) { return strictly ? b <= a : b < a; };
  return values.front() == 0 && values.back() == end &&
         std::adjacent_find(values.begin(), values.end(), is_fall) == values.end();
}

}  // namespace

int64_t RecordFormat::bytes_per_row() const {
  int64_t bytes = 0;
  for (const auto& kind : values) {
    int64_t count = 1;
    for (const int64_t size : kind.row) count *= size;
    bytes += count * static_cast<int64_t>(c10::elementSize(kind.dtype));
  }
  return bytes;
}

fs::path shard_path(const fs::path& folder, const std::string& prefix, int64_t number) {
  char digits[24];
  std::snprintf(digits, sizeof(digits), "%05lld", static_cast<long long>(number));
  return folder / concat(prefix, digits, kSuffix);
}

std::vector<fs::path> find_shards(const fs::path& folder, const std::string& prefix) {
  std::vector<std::pair<int64_t, fs::path>> found;
  for (const auto& entry : fs::directory_iterator(folder)) {
    if (const auto number = shard_number(entry.path(), prefix); number >= 0) found.emplace_back(number, entry.path());
  }
  std::sort(found.begin(), found.end());
  std::vector<fs::path> paths;
  for (auto& item : found) paths.push_back(std::move(item.second));
  return paths;
}

std::vector<at::Tensor> RecordShards::Shard::record(int64_t index) const {
  const auto* at = starts.const_data_ptr<int64_t>() + index;
  std::vector<at::Tensor> parts;
  for (const auto& tensor : values) parts.push_back(tensor.narrow(0, at[0], at[1] - at[0]));
  return parts;
}

std::string_view RecordShards::Shard::id(int64_t index) const {
  const auto* at = id_starts.const_data_ptr<int64_t>() + index;
  return {reinterpret_cast<const char*>(ids.const_data_ptr<uint8_t>()) + at[0], static_cast<size_t>(at[1] - at[0])};
}

std::string RecordShards::Shard::index_checksum() const {
  Checksum checksum;
  for (const auto* tensor : {&keys, &checksums, &starts, &id_starts, &ids}) checksum.update(bytes_of(*tensor));
  return hexadecimal(checksum.value());
}

RecordShards::RecordShards(fs::path folder, RecordFormat format, int64_t shard_bytes)
    : folder_(std::move(folder)),
      format_(std::move(format)),
      max_rows_(std::max<int64_t>(1, shard_bytes / format_.bytes_per_row())) {
  for (const auto& path : find_shards(folder_, format_.prefix)) open(path);
}

void RecordShards::fail_damaged(const fs::path& path, const std::string& problem) const {
  fail("reading ", format_.what, ' ', path.string(), ": ", problem, "; ", format_.remedy);
}

RecordShards::Shard RecordShards::read(const fs::path& path) const {
  const auto file = SafetensorsFile::open(path);
  const auto metadata = [&](const char* key) {
    const auto found = file->metadata().find(key);
    return found == file->metadata().end() ? std::string() : found->second;
  };
  const auto take = [&](const std::string& name, at::ScalarType dtype, const std::vector<int64_t>& shape) {
    const auto found = file->tensors().find(name);
    if (found == file->tensors().end()) fail_damaged(path, "missing tensor " + name);
    const auto& info = found->second;
    const bool fits =
        info.dtype == dtype && std::equal(info.shape.begin(), info.shape.end(), shape.begin(), shape.end(),
                                          [](int64_t a, int64_t b) { return b < 0 || a == b; });
    if (!fits) {
      fail_damaged(path, concat("tensor ", name, " is ", c10::toString(info.dtype), ' ', at::IntArrayRef(info.shape),
                                ", expected ", c10::toString(dtype), ' ', at::IntArrayRef(shape), " (-1: any)"));
    }
    // Such a tensor would have to be copied, and a shard may be larger than the memory.
    if (info.begin % c10::elementSize(dtype) != 0) fail_damaged(path, concat("tensor ", name, " is not aligned"));
    return file->tensor(name);
  };
  Shard shard{path, {}, {}, {}, {}, {}, {}, {}};
  int64_t num_rows = -1;
  for (const auto& kind : format_.values) {
    std::vector<int64_t> shape{num_rows};
    shape.insert(shape.end(), kind.row.begin(), kind.row.end());
    shard.values.push_back(take(kind.name, kind.dtype, shape));
    num_rows = shard.values.back().size(0);
  }
  shard.keys = take("keys", at::kUInt64, {-1});
  const int64_t num_records = shard.num_records();
  shard.checksums = take("checksums", at::kUInt64, {num_records});
  shard.starts = take("starts", at::kLong, {num_records + 1});
  shard.id_starts = take("id_starts", at::kLong, {num_records + 1});
  shard.ids = take("ids", at::kByte, {-1});
  if (metadata("origin") != format_.origin) fail_damaged(path, format_.other_origin);
  if (metadata("index") != shard.index_checksum())
    fail_damaged(path, "the checksum of its index is wrong: the shard is damaged");
  if (!rises(shard.starts, num_rows, /*strictly=*/true))
    fail_damaged(path, concat("starts does not rise from 0 to ", num_rows));
  if (!rises(shard.id_starts, shard.ids.size(0), /*strictly=*/false))
    fail_damaged(path, concat("id_starts does not rise from 0 to ", shard.ids.size(0)));
  shard.verified.resize(num_records);
  return shard;
}

RecordShards::Shard& RecordShards::open(const fs::path& path) {
  auto shard = read(path);
  const auto* keys = shard.keys.const_data_ptr<uint64_t>();
  for (int64_t i = 0; i < shard.num_records(); ++i) places_.try_emplace(keys[i], Place{num_shards(), i});
  num_written_rows_ += shard.values.front().size(0);
  return shards_.emplace_back(std::move(shard));
}

bool RecordShards::has_id(std::string_view id) const {
  for (const auto& shard : shards_) {
    for (int64_t i = 0; i < shard.num_records(); ++i) {
      if (shard.id(i) == id) return true;
    }
  }
  return false;
}

std::vector<at::Tensor> RecordShards::record(const Place& place) const {
  if (place.shard < num_shards()) return shards_[place.shard].record(place.record);
  const auto begin = pending_.starts[place.record], length = pending_.starts[place.record + 1] - begin;
  std::vector<at::Tensor> values;
  for (const auto& tensor : pending_.values) values.push_back(tensor.narrow(0, begin, length));
  return values;
}

std::optional<std::vector<at::Tensor>> RecordShards::find(uint64_t key) {
  const auto found = places_.find(key);
  if (found == places_.end()) return std::nullopt;
  const auto& place = found->second;
  auto values = record(place);
  if (place.shard == num_shards()) return values;
  auto& shard = shards_[place.shard];
  if (!shard.verified[place.record]) {
    if (checksum_of(key, values) != shard.checksums.const_data_ptr<uint64_t>()[place.record]) {
      const auto id = shard.id(place.record);
      fail_damaged(shard.path,
                   concat("the record of ", format_.record, ' ',
                          id.empty() ? concat("number ", place.record) : concat('\'', id, '\''), " is damaged"));
    }
    shard.verified[place.record] = true;
  }
  return values;
}

void RecordShards::read_ahead(uint64_t key) const {
  const auto found = places_.find(key);
  if (found == places_.end()) return;
  for (const auto& tensor : record(found->second)) vlsi::read_ahead(bytes_of(tensor));
}

void RecordShards::make_room(int64_t num_rows) {
  if (num_pending() > 0 && num_pending_rows() + num_rows > max_rows_) write_pending();
  const int64_t needed = num_pending_rows() + num_rows;
  if (!pending_.values.empty() && pending_.values.front().size(0) >= needed) return;
  // The room doubles up to a whole shard's, which may be larger than the memory and than all records.
  constexpr int64_t kFirstBytes = int64_t{1} << 20;
  room_rows_ = std::max(needed, std::min(max_rows_, std::max(2 * room_rows_, kFirstBytes / format_.bytes_per_row())));
  std::vector<at::Tensor> values;
  for (const auto& kind : format_.values) {
    std::vector<int64_t> shape{room_rows_};
    shape.insert(shape.end(), kind.row.begin(), kind.row.end());
    values.push_back(at::empty(shape, kind.dtype));  // costs no memory before it is filled
  }
  for (size_t i = 0; i < pending_.values.size(); ++i) {
    values[i].narrow(0, 0, num_pending_rows()).copy_(pending_.values[i].narrow(0, 0, num_pending_rows()));
  }
  pending_.values = std::move(values);
}

bool RecordShards::add(uint64_t key, std::string_view id, const std::vector<at::Tensor>& values) {
  if (!places_.try_emplace(key, Place{num_shards(), num_pending()}).second) return false;
  const int64_t begin = num_pending_rows(), length = values.front().size(0);
  TORCH_CHECK(length > 0 && !pending_.values.empty() && begin + length <= pending_.values.front().size(0),
              "there is no room for a record of ", length, " rows");
  std::vector<at::Tensor> places;
  for (size_t i = 0; i < values.size(); ++i) {
    places.push_back(pending_.values[i].narrow(0, begin, length));
    places.back().copy_(values[i]);
  }
  pending_.keys.push_back(key);
  pending_.checksums.push_back(checksum_of(key, places));
  pending_.starts.push_back(begin + length);
  pending_.ids += id;
  pending_.id_starts.push_back(std::ssize(pending_.ids));
  return true;
}

fs::path RecordShards::next_path() const {
  int64_t number = 0;
  while (fs::exists(shard_path(folder_, format_.prefix, number))) ++number;
  return shard_path(folder_, format_.prefix, number);
}

void RecordShards::write_pending() {
  if (num_pending() == 0) return;
  Shard shard{next_path(),
              {},
              view_of(pending_.keys, at::kUInt64),
              view_of(pending_.checksums, at::kUInt64),
              view_of(pending_.starts, at::kLong),
              view_of(pending_.id_starts, at::kLong),
              at::from_blob(pending_.ids.data(), {std::ssize(pending_.ids)}, at::kByte),
              {}};
  NamedTensors tensors{{"keys", shard.keys},
                       {"checksums", shard.checksums},
                       {"starts", shard.starts},
                       {"id_starts", shard.id_starts},
                       {"ids", shard.ids}};
  for (size_t i = 0; i < pending_.values.size(); ++i) {
    tensors.emplace_back(format_.values[i].name, pending_.values[i].narrow(0, 0, num_pending_rows()));
  }
  write_safetensors(shard.path, tensors, {{"origin", format_.origin}, {"index", shard.index_checksum()}});
  pending_ = {};
  auto& written = open(shard.path);
  written.verified.assign(written.num_records(), true);
}

}  // namespace vlsi
