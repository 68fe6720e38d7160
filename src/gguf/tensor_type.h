// How GGUF files hold numbers: the types of tensors that llama.cpp reads, with ggml's reference encoding of each.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/table.h"

namespace vlsi {

/// Blocks of `block_values` float32 numbers, each of which becomes `block_bytes` bytes.
struct TensorType {
  std::string_view name, meaning;
  uint32_t id;         // ggml's, of a tensor
  uint32_t file_type;  // llama.cpp's, of a file whose maps are of this type
  int64_t block_values, block_bytes;
  float largest;  // magnitude of a number that it can hold
  /// One block; `block` holds finite numbers up to `largest`.
  void (*encode)(const float* block, std::byte* out);
};

/// The first is what is written unless told otherwise.
Table<TensorType>& tensor_types();
/// The entry of this name, which the table has.
const TensorType& tensor_type(std::string_view name);

}  // namespace vlsi
