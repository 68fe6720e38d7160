// Writing GGUF files, llama.cpp's: keys with values, then tensors, of which one is in memory at a time.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <variant>
#include <vector>

#include "gguf/tensor_type.h"

namespace vlsi {

using GgufValue = std::variant<bool, int32_t, uint32_t, float, std::string, std::vector<bool>, std::vector<int32_t>,
                               std::vector<float>, std::vector<std::string>>;

struct GgufEntry {
  std::string key;
  GgufValue value;
};

/// A tensor that is made when its turn to be written comes. The last dimension of `shape` is a whole number of blocks.
struct GgufTensor {
  std::string name;  // at most 63 bytes
  std::vector<int64_t> shape;
  const TensorType* type;
  std::function<at::Tensor()> make;  // of this shape, any floating-point dtype, on any device

  uint64_t num_bytes() const;
};

/// Version 3: magic, counts, entries, the tensors' names, shapes, types and places, then their data, each at a multiple
/// of 32 bytes; all little-endian. The file appears whole or not at all. Error naming `path` and tensor for a number
/// that the tensor's type cannot hold (NaN, infinity, too large), and before anything is written where the disk has too
/// little space.
void write_gguf(const std::filesystem::path& path, const std::vector<GgufEntry>& entries,
                const std::vector<GgufTensor>& tensors);

}  // namespace vlsi
