// Reading, checking and writing .safetensors files.
#include "base/safetensors.h"

#include <torch/torch.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <optional>
#include <set>
#include <string_view>

#include "base/atomic_file.h"
#include "base/json.h"

namespace vlsi {
namespace {

namespace fs = std::filesystem;

constexpr uint64_t kHeaderLimitBytes = 100'000'000;
constexpr size_t kLengthBytes = 8;  // the header's length stands before it, little-endian
constexpr size_t kAlignment = 8;
constexpr size_t kDimensionLimit = 64;  // of LibTorch's element-wise operations
constexpr const char* kMetadataKey = "__metadata__";

struct DtypeName {
  at::ScalarType dtype;
  std::string_view name;
};

/// In the order in which the format's own writer lays out tensors: widest first.
constexpr std::array kDtypes = {
    DtypeName{at::kUInt64, "U64"},
    DtypeName{at::kLong, "I64"},
    DtypeName{at::kDouble, "F64"},
    DtypeName{at::kComplexFloat, "C64"},
    DtypeName{at::kFloat, "F32"},
    DtypeName{at::kUInt32, "U32"},
    DtypeName{at::kInt, "I32"},
    DtypeName{at::kBFloat16, "BF16"},
    DtypeName{at::kHalf, "F16"},
    DtypeName{at::kUInt16, "U16"},
    DtypeName{at::kShort, "I16"},
    DtypeName{at::kFloat8_e4m3fn, "F8_E4M3"},
    DtypeName{at::kFloat8_e5m2, "F8_E5M2"},
    DtypeName{at::kChar, "I8"},
    DtypeName{at::kByte, "U8"},
    DtypeName{at::kBool, "BOOL"},
};

std::optional<at::ScalarType> find_dtype(std::string_view name) {
  const auto entry =
      std::find_if(kDtypes.begin(), kDtypes.end(), [&](const auto& known) { return known.name == name; });
  return entry == kDtypes.end() ? std::nullopt : std::optional(entry->dtype);
}

/// The place of `dtype` in kDtypes.
size_t dtype_rank(at::ScalarType dtype) {
  const auto entry =
      std::find_if(kDtypes.begin(), kDtypes.end(), [&](const auto& known) { return known.dtype == dtype; });
  TORCH_CHECK(entry != kDtypes.end(), "safetensors has no dtype ", dtype);
  return static_cast<size_t>(entry - kDtypes.begin());
}

/// With quotes, and escaped as in JSON, so that any name stays on one line.
std::string quoted(const std::string& name) {
  return Json(name).dump();
}

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
  const auto dtype = find_dtype(dtype_name);
  if (!dtype) fail(place, ": unknown dtype ", quoted(dtype_name));
  TensorInfo info{*dtype, require<std::vector<int64_t>>(entry, "shape", place), 0, 0};
  const auto offsets = require<std::vector<int64_t>>(entry, "data_offsets", place);
  if (offsets.size() != 2) fail(place, ": data_offsets has ", offsets.size(), " numbers, expected 2");
  if (offsets[0] < 0 || offsets[1] < offsets[0] || static_cast<uint64_t>(offsets[1]) > data_bytes) {
    fail(place, ": data_offsets are [", offsets[0], ", ", offsets[1], "], expected an ascending pair within the ",
         data_bytes, " bytes of data");
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
    at::Tensor copy = torch::empty(info.shape, options);
    if (!bytes.empty()) std::memcpy(copy.mutable_data_ptr(), bytes.data(), bytes.size());
    return copy;
  }
  auto keep_mapped = [file = file_](void*) {};
  return torch::from_blob(const_cast<std::byte*>(bytes.data()), info.shape, std::move(keep_mapped), options);
}

namespace {

/// Whether an index may name `file`: only a file in the index's own directory.
bool is_plain_file_name(const std::string& file) {
  const auto is_control = [](unsigned char c) { return c < 0x20; };
  return !file.empty() && file != "." && file.find('/') == file.npos && file.find("..") == file.npos &&
         std::none_of(file.begin(), file.end(), is_control);
}

/// Collects what is wrong, to be said at once.
class Problems {
 public:
  template <class... Parts>
  void add(const Parts&... parts) {
    text_ += concat(text_.empty() ? "" : "; ", parts...);
  }
  void fail_if_any(const fs::path& place) const {
    if (!text_.empty()) fail(place.string(), ": ", text_);
  }

 private:
  std::string text_;
};

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
  problems.fail_if_any(index);
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

namespace {

/// The header's JSON. Tensors stand in the order of their data.
std::string make_header(const std::vector<const NamedTensors::value_type*>& order,
                        const std::map<std::string, std::string>& metadata) {
  std::string header = concat("{\"", kMetadataKey, "\":", Json(metadata).dump());
  uint64_t reached = 0;
  for (const auto* entry : order) {
    const auto& [name, tensor] = *entry;
    const uint64_t begin = std::exchange(reached, reached + tensor.nbytes());
    header +=
        concat(",", quoted(name), ":{\"dtype\":\"", kDtypes[dtype_rank(tensor.scalar_type())].name,
               "\",\"shape\":", Json(tensor.sizes().vec()).dump(), ",\"data_offsets\":[", begin, ",", reached, "]}");
  }
  header += '}';
  header.append((kAlignment - header.size() % kAlignment) % kAlignment, ' ');
  return header;
}

}  // namespace

void write_safetensors(const fs::path& path, const NamedTensors& tensors,
                       const std::map<std::string, std::string>& metadata) {
  std::vector<const NamedTensors::value_type*> order;
  order.reserve(tensors.size());
  for (const auto& entry : tensors) {
    TORCH_CHECK(entry.second.defined() && entry.first != kMetadataKey, "cannot write tensor ", entry.first);
    order.push_back(&entry);
  }
  const auto key = [](const auto* entry) {
    return std::pair(dtype_rank(entry->second.scalar_type()), std::string_view(entry->first));
  };
  std::sort(order.begin(), order.end(), [&](const auto* left, const auto* right) { return key(left) < key(right); });
  std::set<std::string_view> names;
  for (const auto* entry : order)
    TORCH_CHECK(names.insert(entry->first).second, "two tensors are named ", entry->first);

  auto all_metadata = metadata;
  all_metadata["format"] = "pt";
  std::string header;
  try {
    header = make_header(order, all_metadata);
  } catch (const Json::exception&) {
    fail("write ", path.string(), ": a name or a metadata string is not UTF-8");
  }

  std::string length(kLengthBytes, '\0');
  for (size_t i = 0; i < kLengthBytes; ++i) length[i] = static_cast<char>(header.size() >> (8 * i) & 0xFF);
  AtomicFile file(path);
  file.write(length + header);
  for (const auto* entry : order) {
    const at::Tensor data = entry->second.detach().to(at::kCPU).contiguous();
    if (data.numel() == 0) continue;
    file.write(std::span(static_cast<const std::byte*>(data.const_data_ptr()), data.nbytes()));
  }
  file.commit();
}

}  // namespace vlsi
