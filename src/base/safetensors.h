// The safetensors format: reading by memory map, writing atomically, directories of shards.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/mapped_file.h"

namespace vlsi {

struct TensorInfo {
  at::ScalarType dtype;
  std::vector<int64_t> shape;
  uint64_t begin, end;  // bytes in the file, from its start
};

/// The product of the shape, for estimates.
double num_values(const TensorInfo& info);

/// One mapped and validated .safetensors file.
class SafetensorsFile {
 public:
  /// Checks everything the format demands before any tensor is handed out: header length within the file and at most
  /// 100 MB, header JSON without duplicate names, known dtypes, non-negative shapes whose byte count equals the offsets
  /// (computed without overflow), offsets that tile the data without gap, overlap or trailing bytes. Error otherwise,
  /// naming path and tensor. Allocates in proportion to the header's true size only.
  static std::shared_ptr<const SafetensorsFile> open(const std::filesystem::path& path);

  const std::filesystem::path& path() const { return file_->path(); }
  const std::map<std::string, TensorInfo>& tensors() const { return tensors_; }
  /// The header's `__metadata__`; empty when absent.
  const std::map<std::string, std::string>& metadata() const { return metadata_; }

  /// A read-only view of the file that keeps the map alive; never write to it. `name` must be in tensors().
  at::Tensor tensor(const std::string& name) const;

 private:
  std::shared_ptr<const MappedFile> file_;
  std::map<std::string, TensorInfo> tensors_;
  std::map<std::string, std::string> metadata_;
};

/// All tensors of a model directory: `model.safetensors`, or the shards of `model.safetensors.index.json`.
class Checkpoint {
 public:
  /// Error when neither exists, a shard of the index is missing, a name stands in two shards, or the index and the
  /// shards disagree; all problems are listed at once.
  static Checkpoint open(const std::filesystem::path& directory);

  std::vector<std::string> names() const;
  bool contains(const std::string& name) const { return shard_of_.count(name) > 0; }
  const TensorInfo& info(const std::string& name) const;
  /// As SafetensorsFile::tensor.
  at::Tensor tensor(const std::string& name) const;

 private:
  std::map<std::string, std::shared_ptr<const SafetensorsFile>> shard_of_;
};

using NamedTensors = std::vector<std::pair<std::string, at::Tensor>>;

/// Writes the tensors (any device; made contiguous one at a time) with `metadata` plus {"format": "pt"}, atomically.
/// Header padded with spaces to 8 bytes; data in the order of dtype size, then name, as the format's own writer does.
void write_safetensors(const std::filesystem::path& path, const NamedTensors& tensors,
                       const std::map<std::string, std::string>& metadata = {});

}  // namespace vlsi
