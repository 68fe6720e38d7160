// Writing safetensors: one tensor in memory at a time, in one file or in shards with an index.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "base/safetensors.h"

namespace vlsi {

/// A tensor that is made when its turn to be written comes: no more than one of them need be in memory.
struct TensorSource {
  std::string name;
  at::ScalarType dtype;
  std::vector<int64_t> shape;
  std::function<at::Tensor()> make;  // of this dtype and shape, on any device

  uint64_t num_bytes() const;
};

/// `tensor` itself, which stays alive with the source.
TensorSource source_of(std::string name, const at::Tensor& tensor);

std::vector<TensorSource> sources_of(const NamedTensors& tensors);

/// Puts them into the order in which stream_safetensors makes them.
void sort_as_written(std::vector<TensorSource>& sources);

/// Makes and writes the tensors one after the other, with `metadata` plus {"format": "pt"}, atomically. Header padded
/// with spaces to 8 bytes; data in the order of dtype size, then name, as the format's own writer does.
void stream_safetensors(const std::filesystem::path& path, std::vector<TensorSource> sources,
                        const std::map<std::string, std::string>& metadata = {});

/// What transformers and the hub take as the largest shard.
inline constexpr uint64_t kMaxShardBytes = 5'000'000'000;

/// Writes `model.safetensors`, or shards `model-00001-of-0000n.safetensors` in the order of `sources` and their index,
/// when the tensors exceed `max_shard_bytes` together; only a tensor that does so alone makes a larger shard. One
/// tensor is in memory at a time. Error before anything is written when the disk has too little space.
void write_checkpoint(const std::filesystem::path& directory, std::vector<TensorSource> sources,
                      uint64_t max_shard_bytes = kMaxShardBytes);

}  // namespace vlsi
