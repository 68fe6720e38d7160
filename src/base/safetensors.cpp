#include "base/safetensors.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cstring>
#include <limits>
#include <set>

#include "base/atomic_file.h"
#include "base/error.h"
#include "base/json.h"

namespace vlsi {
namespace {

namespace fs = std::filesystem;
constexpr uint64_t kMaxHeaderBytes = 100'000'000;

const std::vector<std::pair<std::string, at::ScalarType>>& dtypes() {
  static const std::vector<std::pair<std::string, at::ScalarType>> names{
      {"BOOL", at::kBool},     {"U8", at::kByte},     {"I8", at::kChar},      {"I16", at::kShort},
      {"U16", at::kUInt16},    {"I32", at::kInt},     {"U32", at::kUInt32},   {"I64", at::kLong},
      {"U64", at::kUInt64},    {"F16", at::kHalf},    {"BF16", at::kBFloat16}, {"F32", at::kFloat},
      {"F64", at::kDouble},    {"F8_E4M3", at::kFloat8_e4m3fn}, {"F8_E5M2", at::kFloat8_e5m2}};
  return names;
}

at::ScalarType parse_dtype(const std::string& name, const std::string& place) {
  for (const auto& [known, dtype] : dtypes()) {
    if (known == name) return dtype;
  }
  fail(place, ": dtype '", name, "' is unknown");
}

const std::string& name_of(at::ScalarType dtype) {
  for (const auto& [name, known] : dtypes()) {
    if (known == dtype) return name;
  }
  TORCH_CHECK(false, "safetensors has no name for ", dtype);
}

/// Elements times element size; Error when that overflows.
uint64_t byte_count(const std::vector<int64_t>& shape, at::ScalarType dtype, const std::string& place) {
  uint64_t bytes = c10::elementSize(dtype);
  for (const int64_t size : shape) {
    if (size < 0) fail(place, ": the shape has the negative size ", size);
    if (__builtin_mul_overflow(bytes, static_cast<uint64_t>(size), &bytes) || bytes > INT64_MAX) {
      fail(place, ": the shape is too large");
    }
  }
  return bytes;
}

TensorInfo parse_entry(const Json& entry, const std::string& place) {
  TensorInfo info;
  info.dtype = parse_dtype(require<std::string>(entry, "dtype", place), place);
  info.shape = require<std::vector<int64_t>>(entry, "shape", place);
  const auto offsets = require<std::vector<int64_t>>(entry, "data_offsets", place);
  if (offsets.size() != 2 || offsets[0] < 0 || offsets[1] < offsets[0]) {
    fail(place, ": data_offsets are not two ascending numbers");
  }
  for (const auto& item : entry.items()) {
    if (item.key() != "dtype" && item.key() != "shape" && item.key() != "data_offsets") fail(place, ": unknown key '", item.key(), "'");
  }
  info.begin = static_cast<uint64_t>(offsets[0]);
  info.end = static_cast<uint64_t>(offsets[1]);
  if (const uint64_t bytes = byte_count(info.shape, info.dtype, place); bytes != info.end - info.begin) {
    fail(place, ": its shape and dtype need ", bytes, " bytes, its offsets say ", info.end - info.begin);
  }
  return info;
}

/// The data must be covered by the tensors, each byte once.
void check_tiling(const std::map<std::string, TensorInfo>& tensors, uint64_t data_bytes, const std::string& path) {
  std::vector<std::pair<const std::string*, const TensorInfo*>> order;
  for (const auto& [name, info] : tensors) order.emplace_back(&name, &info);
  std::sort(order.begin(), order.end(), [](const auto& a, const auto& b) {
    return std::pair(a.second->begin, a.second->end) < std::pair(b.second->begin, b.second->end);
  });
  uint64_t end = 0;
  for (const auto& [name, info] : order) {
    if (info->begin != end) {
      fail("reading ", path, ": tensor ", *name, " begins at byte ", info->begin, " of the data, ",
           info->begin < end ? "inside another tensor" : "behind a gap", "; expected ", end);
    }
    end = info->end;
  }
  if (end != data_bytes) fail("reading ", path, ": the tensors take ", end, " bytes, the file holds ", data_bytes);
}

}  // namespace

std::shared_ptr<const SafetensorsFile> SafetensorsFile::open(const fs::path& path) {
  auto result = std::make_shared<SafetensorsFile>();
  result->file_ = MappedFile::open(path);
  const auto text = result->file_->text();
  const std::string where = path.string();
  uint64_t header_bytes = 0;
  if (text.size() < sizeof(header_bytes)) fail("reading ", where, ": it has ", text.size(), " bytes, too few for a safetensors file");
  std::memcpy(&header_bytes, text.data(), sizeof(header_bytes));
  if (header_bytes > kMaxHeaderBytes) fail("reading ", where, ": its header claims ", header_bytes, " bytes, expected at most ", kMaxHeaderBytes);
  if (header_bytes > text.size() - sizeof(header_bytes)) {
    fail("reading ", where, ": its header claims ", header_bytes, " bytes, the file has ", text.size() - sizeof(header_bytes), " left");
  }
  const auto header_text = text.substr(sizeof(header_bytes), header_bytes);
  if (!header_text.starts_with('{')) fail("reading ", where, ": its header is not a JSON object");
  const Json header = parse_json(header_text, where + ", header");
  const uint64_t data_begin = sizeof(header_bytes) + header_bytes;
  for (const auto& [name, entry] : header.items()) {
    const std::string place = "reading " + where + ": " + name;
    if (name == "__metadata__") {
      if (!entry.is_object()) fail(place, ": is ", describe(entry), ", expected an object");
      for (const auto& item : entry.items()) result->metadata_[item.key()] = require<std::string>(entry, item.key(), place);
    } else {
      result->tensors_.emplace(name, parse_entry(entry, place));
    }
  }
  check_tiling(result->tensors_, text.size() - data_begin, where);
  for (auto& [name, info] : result->tensors_) {
    info.begin += data_begin;
    info.end += data_begin;
  }
  return result;
}

at::Tensor SafetensorsFile::tensor(const std::string& name) const {
  const auto found = tensors_.find(name);
  TORCH_CHECK(found != tensors_.end(), "no tensor ", name, " in ", path().string());
  const auto& info = found->second;
  const auto options = at::TensorOptions(info.dtype);
  if (info.begin == info.end) return at::empty(info.shape, options);
  const auto* data = file_->bytes().data() + info.begin;
  if (reinterpret_cast<uintptr_t>(data) % c10::elementSize(info.dtype) != 0) {
    auto copy = at::empty(info.shape, options);
    std::memcpy(copy.mutable_data_ptr(), data, info.end - info.begin);
    return copy;
  }
  return at::from_blob(const_cast<std::byte*>(data), info.shape, [keep = file_](void*) {}, options);
}

Checkpoint Checkpoint::open(const fs::path& directory) {
  Checkpoint checkpoint;
  const auto single = directory / "model.safetensors", index = directory / "model.safetensors.index.json";
  if (!fs::exists(index)) {
    if (!fs::exists(single)) {
      fail("loading weights from ", directory.string(), ": neither model.safetensors nor model.safetensors.index.json is there");
    }
    const auto file = SafetensorsFile::open(single);
    for (const auto& [name, info] : file->tensors()) checkpoint.shard_of_.emplace(name, file);
    return checkpoint;
  }

  const std::string place = index.string();
  const auto weight_map = require<Json>(read_json(index), "weight_map", place);
  if (!weight_map.is_object()) fail("reading ", place, ": weight_map is ", describe(weight_map), ", expected an object");
  std::vector<std::string> problems;
  std::map<std::string, std::set<std::string>> promised;  // shard -> tensors
  for (const auto& item : weight_map.items()) {
    promised[require<std::string>(weight_map, item.key(), place + ", weight_map")].insert(item.key());
  }
  for (const auto& [shard, names] : promised) {
    if (shard.find('/') != std::string::npos || shard == "..") {
      problems.push_back("shard '" + shard + "' is outside the folder");
      continue;
    }
    if (!fs::exists(directory / shard)) {
      problems.push_back("shard " + shard + " is missing");
      continue;
    }
    const auto file = SafetensorsFile::open(directory / shard);
    for (const auto& name : names) {
      if (file->tensors().count(name) == 0) problems.push_back(name + " is not in " + shard);
    }
    for (const auto& [name, info] : file->tensors()) {
      if (names.count(name) == 0) problems.push_back(name + " is in " + shard + " but not in the index there");
      if (!checkpoint.shard_of_.emplace(name, file).second) problems.push_back(name + " stands in two shards");
    }
  }
  if (!problems.empty()) {
    std::string text;
    for (const auto& problem : problems) text += (text.empty() ? "" : "; ") + problem;
    fail("loading weights by ", place, ": ", problems.size(), " problem(s): ", text);
  }
  return checkpoint;
}

std::vector<std::string> Checkpoint::names() const {
  std::vector<std::string> names;
  for (const auto& [name, shard] : shard_of_) names.push_back(name);
  return names;
}

const TensorInfo& Checkpoint::info(const std::string& name) const {
  const auto found = shard_of_.find(name);
  TORCH_CHECK(found != shard_of_.end(), "no tensor ", name);
  return found->second->tensors().at(name);
}

at::Tensor Checkpoint::tensor(const std::string& name) const {
  const auto found = shard_of_.find(name);
  TORCH_CHECK(found != shard_of_.end(), "no tensor ", name);
  return found->second->tensor(name);
}

void write_safetensors(const fs::path& path, const NamedTensors& tensors, const std::map<std::string, std::string>& metadata) {
  auto order = tensors;
  std::sort(order.begin(), order.end(), [](const auto& a, const auto& b) {
    const auto size_a = a.second.element_size(), size_b = b.second.element_size();
    return size_a != size_b ? size_a > size_b : a.first < b.first;
  });
  OrderedJson header = OrderedJson::object();
  auto& stored_metadata = header["__metadata__"] = OrderedJson::object();
  stored_metadata["format"] = "pt";
  for (const auto& [key, value] : metadata) stored_metadata[key] = value;
  uint64_t offset = 0;
  for (const auto& [name, tensor] : order) {
    TORCH_CHECK(!header.contains(name), "two tensors are named ", name);
    const uint64_t end = offset + tensor.numel() * tensor.element_size();
    header[name] = {{"dtype", name_of(tensor.scalar_type())}, {"shape", tensor.sizes().vec()}, {"data_offsets", {offset, end}}};
    offset = end;
  }
  std::string text = header.dump();
  text.resize((text.size() + 7) / 8 * 8, ' ');
  const uint64_t header_bytes = text.size();
  AtomicFile file(path);
  file.write(std::as_bytes(std::span(&header_bytes, 1)));
  file.write(text);
  for (const auto& [name, tensor] : order) {
    const auto bytes = tensor.detach().cpu().contiguous();
    file.write(std::span(static_cast<const std::byte*>(bytes.const_data_ptr()), bytes.nbytes()));
  }
  file.commit();
}

}  // namespace vlsi
