// Reading and checking .safetensors files.
#include "base/safetensors.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cstring>
#include <set>
#include <string_view>

#include "base/json.h"
#include "base/problems.h"
#include "base/quoted.h"
#include "base/safetensors_format.h"

namespace vlsi {
namespace {

namespace fs = std::filesystem;

constexpr uint64_t kHeaderLimitBytes = 100'000'000;
constexpr size_t kDimensionLimit = 64;  // of LibTorch's element-wise operations

uint64_t read_length(std::span<const std::byte> bytes) {
  uint64_t value = 0;
  for (size_t i = 0; i < kLengthBytes; ++i) value |= std::to_integer<uint64_t>(bytes[i]) << (8 * i);
  return value;
}

/// The bytes of a tensor. Dimensions of zero count as one in the overflow check, as they do in LibTorch's strides.
uint64_t count_bytes(const TensorInfo& info, const std::string& place) {
  auto bytes = static_cast<int64_t>(c10::elementSize(info.dtype));
  bool is_empty = false;
  if (info.shape.size() > kDimensionLimit) {
    fail(place, ": has ", info.shape.size(), " dimensions, expected at most ", kDimensionLimit);
  }
  for (const int64_t size : info.shape) {
    if (size < 0) fail(place, ": shape has the negative size ", size);
    is_empty |= size == 0;
    if (__builtin_mul_overflow(bytes, std::max<int64_t>(size, 1), &bytes)) fail(place, ": size of the shape overflows");
  }
  return is_empty ? 0 : static_cast<uint64_t>(bytes);
}

/// One entry of the header; `data` is where the file's data begin, `data_bytes` how long they are.
TensorInfo read_entry(const Json& entry, uint64_t data, uint64_t data_bytes, const std::string& place) {
  const auto dtype_name = require<std::string>(entry, "dtype", place);
  const auto dtype = find_safetensors_dtype(dtype_name);
  if (!dtype) fail(place, ": unknown dtype ", quoted(dtype_name));
  TensorInfo info{*dtype, require<std::vector<int64_t>>(entry, "shape", place), 0, 0};
  const auto offsets = require<std::vector<int64_t>>(entry, "data_offsets", place);
  if (offsets.size() != 2) fail(place, ": data_offsets has ", offsets.size(), " numbers, expected 2");
  if (offsets[0] < 0 || offsets[1] < offsets[0] || static_cast<uint64_t>(offsets[1]) > data_bytes) {
    fail(place, ": data_offsets are [", offsets[0], ", ", offsets[1], "], expected an ascending pair within the ",
         data_bytes, " bytes of data",
         static_cast<uint64_t>(std::max<int64_t>(0, offsets[1])) > data_bytes ? "; the file may be cut off" : "");
  }
  const auto found = static_cast<uint64_t>(offsets[1] - offsets[0]);
  const auto expected = count_bytes(info, place);
  if (found != expected)
    fail(place, ": data_offsets span ", found, " bytes, expected ", expected, " from dtype and shape");
  info.begin = data + static_cast<uint64_t>(offsets[0]);
  info.end = data + static_cast<uint64_t>(offsets[1]);
  return info;
}

/// Demands that the tensors tile the file from `data` to `file_bytes`.
void check_tiling(const std::map<std::string, TensorInfo>& tensors, uint64_t data, uint64_t file_bytes,
                  const std::string& path) {
  std::vector<std::pair<const std::string*, const TensorInfo*>> order;
  order.reserve(tensors.size());
  for (const auto& [name, info] : tensors) order.emplace_back(&name, &info);
  std::stable_sort(order.begin(), order.end(), [](const auto& left, const auto& right) {
    return std::pair(left.second->begin, left.second->end) < std::pair(right.second->begin, right.second->end);
  });
  uint64_t reached = data;
  for (const auto& [name, info] : order) {
    if (info->begin != reached) {
      fail(path, ": tensor ", quoted(*name), ": begins at offset ", info->begin - data, ", which leaves ",
           info->begin > reached ? "a gap" : "an overlap", "; expected ", reached - data);
    }
    reached = info->end;
  }
  if (reached != file_bytes) fail(path, ": ", file_bytes - reached, " bytes after the last tensor, expected none");
}

}  // namespace

double num_values(const TensorInfo& info) {
  double values = 1;
  for (const int64_t size : info.shape) values *= static_cast<double>(size);
  return values;
}

std::shared_ptr<const SafetensorsFile> SafetensorsFile::open(const fs::path& path) {
  auto result = std::make_shared<SafetensorsFile>();
  result->file_ = MappedFile::open(path);
  const auto bytes = result->file_->bytes();
  const std::string place = path.string();
  if (bytes.size() < kLengthBytes) fail(place, ": has ", bytes.size(), " bytes, expected at least ", kLengthBytes);
  const uint64_t header_bytes = read_length(bytes);
  const uint64_t limit = std::min<uint64_t>(kHeaderLimitBytes, bytes.size() - kLengthBytes);
  if (header_bytes == 0 || header_bytes > limit) {
    fail(place, ": header length is ", header_bytes, ", expected 1 to ", limit, " in a file of ", bytes.size(),
         " bytes");
  }
  const auto text = result->file_->text().substr(kLengthBytes, header_bytes);
  if (text[0] != '{') fail(place, ": header does not begin with '{'");
  const Json header = parse_json(text, place + ": header");

  const uint64_t data = kLengthBytes + header_bytes;
  for (const auto& [name, entry] : header.items()) {
    const std::string entry_place = concat(place, ": ", name == kMetadataKey ? "" : "tensor ", quoted(name));
    if (name != kMetadataKey) {
      result->tensors_.emplace(name, read_entry(entry, data, bytes.size() - data, entry_place));
      continue;
    }
    if (!entry.is_object()) fail(entry_place, ": is ", describe(entry), ", expected an object");
    for (const auto& [key, value] : entry.items()) {
      if (!value.is_string())
        fail(entry_place, ": value of ", quoted(key), " is ", describe(value), ", expected a string");
      result->metadata_.emplace(key, value.get<std::string>());
    }
  }
  check_tiling(result->tensors_, data, bytes.size(), place);
  return result;
}

at::Tensor SafetensorsFile::tensor(const std::string& name) const {
  const auto entry = tensors_.find(name);
  TORCH_CHECK(entry != tensors_.end(), path().string(), " has no tensor ", name);
  const TensorInfo& info = entry->second;
  const auto bytes = file_->bytes().subspan(info.begin, info.end - info.begin);
  const auto options = at::TensorOptions().dtype(info.dtype);
  // The format does not align the data, and a misaligned read is undefined. Such a tensor is copied.
  if (reinterpret_cast<uintptr_t>(bytes.data()) % c10::elementSize(info.dtype) != 0) {
    at::Tensor copy = at::empty(info.shape, options);
    if (!bytes.empty()) std::memcpy(copy.mutable_data_ptr(), bytes.data(), bytes.size());
    return copy;
  }
  auto keep_mapped = [file = file_](void*) {};
  return at::from_blob(const_cast<std::byte*>(bytes.data()), info.shape, std::move(keep_mapped), options);
}

namespace {

/// Whether an index may name `file`: only a file in the index's own directory.
bool is_plain_file_name(const std::string& file) {
  const auto is_control = [](unsigned char c) { return c < 0x20; };
  return !file.empty() && file != "." && file.find('/') == file.npos && file.find("..") == file.npos &&
         std::none_of(file.begin(), file.end(), is_control);
}

using Shards = std::map<std::string, std::shared_ptr<const SafetensorsFile>>;

/// Opens every shard that `weight_map` (tensor -> file name) names.
Shards open_shards(const fs::path& directory, const Json& weight_map, Problems& problems) {
  std::set<std::string> files;
  for (const auto& [name, file] : weight_map.items()) {
    if (!file.is_string()) {
      problems.add("shard of tensor ", quoted(name), " is ", describe(file), ", expected a file name");
    } else {
      files.insert(file.get<std::string>());
    }
  }
  Shards shards;
  for (const auto& file : files) {
    if (!is_plain_file_name(file)) {
      problems.add("shard ", quoted(file), " is not a plain file name");
      continue;
    }
    try {
      shards[file] = SafetensorsFile::open(directory / file);
    } catch (const Error& error) {
      problems.add(error.what());
    }
  }
  return shards;
}

}  // namespace

Checkpoint Checkpoint::open(const fs::path& directory) {
  Checkpoint result;
  std::error_code ignored;
  const fs::path single = directory / "model.safetensors", index = directory / "model.safetensors.index.json";
  if (fs::exists(single, ignored)) {
    const auto file = SafetensorsFile::open(single);
    for (const auto& [name, info] : file->tensors()) result.shard_of_.emplace(name, file);
    return result;
  }
  if (!fs::exists(index, ignored)) {
    fail("open model ", directory.string(), ": has neither model.safetensors nor model.safetensors.index.json");
  }
  const Json weight_map = require<Json>(read_json(index), "weight_map", index.string());
  if (!weight_map.is_object()) {
    fail(index.string(), ": key 'weight_map' is ", describe(weight_map), ", expected an object");
  }
  Problems problems;
  const Shards shards = open_shards(directory, weight_map, problems);
  std::map<std::string, std::string> file_of;
  for (const auto& [file, shard] : shards) {
    for (const auto& [name, info] : shard->tensors()) {
      const auto [first, is_new] = file_of.emplace(name, file);
      if (!is_new) problems.add("tensor ", quoted(name), " is in both ", first->second, " and ", file);
      if (!weight_map.contains(name)) problems.add("tensor ", quoted(name), " of ", file, " is not in the index");
      result.shard_of_.emplace(name, shard);
    }
  }
  for (const auto& [name, file] : weight_map.items()) {
    const auto shard = file.is_string() ? shards.find(file.get<std::string>()) : shards.end();
    if (shard == shards.end() || shard->second->tensors().contains(name)) continue;
    const auto elsewhere = file_of.find(name);
    problems.add("tensor ", quoted(name), " is not in ", shard->first,
                 elsewhere == file_of.end() ? "" : " but in " + elsewhere->second);
  }
  problems.fail_if_any(index.string(), ": ");
  return result;
}

std::vector<std::string> Checkpoint::names() const {
  std::vector<std::string> result;
  result.reserve(shard_of_.size());
  for (const auto& [name, shard] : shard_of_) result.push_back(name);
  return result;
}

const TensorInfo& Checkpoint::info(const std::string& name) const {
  const auto entry = shard_of_.find(name);
  TORCH_CHECK(entry != shard_of_.end(), "checkpoint has no tensor ", name);
  return entry->second->tensors().at(name);
}

at::Tensor Checkpoint::tensor(const std::string& name) const {
  const auto entry = shard_of_.find(name);
  TORCH_CHECK(entry != shard_of_.end(), "checkpoint has no tensor ", name);
  return entry->second->tensor(name);
}

}  // namespace vlsi
