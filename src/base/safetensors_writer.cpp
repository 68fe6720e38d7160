// Writing .safetensors files, a tensor at a time, and directories of shards.
#include "base/safetensors_writer.h"

#include <c10/util/Exception.h>
#include <torch/types.h>

#include <algorithm>
#include <cstdio>
#include <set>
#include <string_view>
#include <system_error>

#include "base/atomic_file.h"
#include "base/json.h"
#include "base/quoted.h"
#include "base/safetensors_format.h"

namespace vlsi {
namespace {

namespace fs = std::filesystem;

constexpr size_t kAlignment = 8;
constexpr const char* kSingleFile = "model.safetensors";
constexpr const char* kIndexFile = "model.safetensors.index.json";

/// The header's JSON. Tensors stand in the order of their data.
std::string make_header(const std::vector<TensorSource>& order, const std::map<std::string, std::string>& metadata) {
  std::string header = concat("{\"", kMetadataKey, "\":", Json(metadata).dump());
  uint64_t reached = 0;
  for (const auto& source : order) {
    const uint64_t begin = std::exchange(reached, reached + source.num_bytes());
    header += concat(",", quoted(source.name), ":{\"dtype\":\"",
                     kSafetensorsDtypes[safetensors_dtype_rank(source.dtype)].name,
                     "\",\"shape\":", Json(source.shape).dump(), ",\"data_offsets\":[", begin, ",", reached, "]}");
  }
  header += '}';
  header.append((kAlignment - header.size() % kAlignment) % kAlignment, ' ');
  return header;
}

}  // namespace

uint64_t TensorSource::num_bytes() const {
  uint64_t bytes = c10::elementSize(dtype);
  for (const int64_t size : shape) bytes *= static_cast<uint64_t>(size);
  return bytes;
}

TensorSource source_of(std::string name, const at::Tensor& tensor) {
  TORCH_CHECK(tensor.defined(), "cannot write tensor ", name);
  return {std::move(name), tensor.scalar_type(), tensor.sizes().vec(), [tensor] { return tensor; }};
}

std::vector<TensorSource> sources_of(const NamedTensors& tensors) {
  std::vector<TensorSource> sources;
  sources.reserve(tensors.size());
  for (const auto& [name, tensor] : tensors) sources.push_back(source_of(name, tensor));
  return sources;
}

void sort_as_written(std::vector<TensorSource>& sources) {
  const auto key = [](const auto& source) {
    return std::pair(safetensors_dtype_rank(source.dtype), std::string_view(source.name));
  };
  std::sort(sources.begin(), sources.end(),
            [&](const auto& left, const auto& right) { return key(left) < key(right); });
}

void stream_safetensors(const fs::path& path, std::vector<TensorSource> sources,
                        const std::map<std::string, std::string>& metadata) {
  sort_as_written(sources);
  std::set<std::string_view> names;
  for (const auto& source : sources) {
    TORCH_CHECK(source.name != kMetadataKey, "cannot write tensor ", source.name);
    TORCH_CHECK(names.insert(source.name).second, "two tensors are named ", source.name);
  }

  auto all_metadata = metadata;
  all_metadata["format"] = "pt";
  std::string header;
  try {
    header = make_header(sources, all_metadata);
  } catch (const Json::exception&) {
    fail("write ", path.string(), ": a name or a metadata string is not UTF-8");
  }

  std::string length(kLengthBytes, '\0');
  for (size_t i = 0; i < kLengthBytes; ++i) length[i] = static_cast<char>(header.size() >> (8 * i) & 0xFF);
  AtomicFile file(path);
  file.write(length + header);
  for (const auto& source : sources) {
    const at::Tensor data = source.make().detach().to(at::kCPU).contiguous();
    TORCH_CHECK(data.scalar_type() == source.dtype && data.sizes() == source.shape, "another tensor was made than ",
                source.name, " promised");
    if (data.numel() == 0) continue;
    file.write(std::span(static_cast<const std::byte*>(data.const_data_ptr()), data.nbytes()));
  }
  file.commit();
}

void write_safetensors(const fs::path& path, const NamedTensors& tensors,
                       const std::map<std::string, std::string>& metadata) {
  stream_safetensors(path, sources_of(tensors), metadata);
}

namespace {

/// The sources cut into runs of at most `limit` bytes; a larger tensor is a shard of its own.
std::vector<std::vector<TensorSource>> cut_into_shards(std::vector<TensorSource> sources, uint64_t limit) {
  std::vector<std::vector<TensorSource>> shards(1);
  uint64_t filled = 0;
  for (auto& source : sources) {
    if (!shards.back().empty() && source.num_bytes() > limit - std::min(limit, filled)) {
      shards.emplace_back();
      filled = 0;
    }
    filled += source.num_bytes();
    shards.back().push_back(std::move(source));
  }
  return shards;
}

std::string shard_name(size_t index, size_t count) {
  char name[64];
  std::snprintf(name, sizeof name, "model-%05zu-of-%05zu.safetensors", index + 1, count);
  return name;
}

}  // namespace

void write_checkpoint(const fs::path& directory, std::vector<TensorSource> sources, uint64_t max_shard_bytes) {
  uint64_t total_bytes = 0;
  for (const auto& source : sources) total_bytes += source.num_bytes();
  std::error_code unknown;
  const auto space = fs::space(directory, unknown);
  if (!unknown && space.available < total_bytes) {
    fail("write ", directory.string(), ": the weights take ", total_bytes, " bytes, the disk has ", space.available,
         " left");
  }
  const auto shards = cut_into_shards(std::move(sources), max_shard_bytes);
  if (shards.size() == 1) return stream_safetensors(directory / kSingleFile, shards.front());
  std::map<std::string, std::string> file_of;
  for (size_t i = 0; i < shards.size(); ++i) {
    const auto file = shard_name(i, shards.size());
    stream_safetensors(directory / file, shards[i]);
    for (const auto& source : shards[i]) {
      TORCH_CHECK(file_of.emplace(source.name, file).second, "two tensors are named ", source.name);
    }
  }
  write_json(directory / kIndexFile, {{"metadata", {{"total_size", total_bytes}}}, {"weight_map", file_of}});
}

}  // namespace vlsi
