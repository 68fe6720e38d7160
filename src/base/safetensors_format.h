// What the reader and the writer of safetensors files both know of the format.
#pragma once

#include <ATen/core/Tensor.h>

#include <array>
#include <cstddef>
#include <optional>
#include <string_view>

namespace vlsi {

inline constexpr size_t kLengthBytes = 8;  // the header's length stands before it, little-endian
inline constexpr const char* kMetadataKey = "__metadata__";

struct SafetensorsDtype {
  at::ScalarType dtype;
  std::string_view name;
};

/// In the order in which the format's own writer lays out tensors: widest first.
inline constexpr std::array kSafetensorsDtypes = {
    SafetensorsDtype{at::kUInt64, "U64"},
    SafetensorsDtype{at::kLong, "I64"},
    SafetensorsDtype{at::kDouble, "F64"},
    SafetensorsDtype{at::kComplexFloat, "C64"},
    SafetensorsDtype{at::kFloat, "F32"},
    SafetensorsDtype{at::kUInt32, "U32"},
    SafetensorsDtype{at::kInt, "I32"},
    SafetensorsDtype{at::kBFloat16, "BF16"},
    SafetensorsDtype{at::kHalf, "F16"},
    SafetensorsDtype{at::kUInt16, "U16"},
    SafetensorsDtype{at::kShort, "I16"},
    SafetensorsDtype{at::kFloat8_e4m3fn, "F8_E4M3"},
    SafetensorsDtype{at::kFloat8_e5m2, "F8_E5M2"},
    SafetensorsDtype{at::kChar, "I8"},
    SafetensorsDtype{at::kByte, "U8"},
    SafetensorsDtype{at::kBool, "BOOL"},
};

inline std::optional<at::ScalarType> find_safetensors_dtype(std::string_view name) {
  for (const auto& known : kSafetensorsDtypes) {
    if (known.name == name) return known.dtype;
  }
  return std::nullopt;
}

/// The place of `dtype` in kSafetensorsDtypes.
inline size_t safetensors_dtype_rank(at::ScalarType dtype) {
  for (size_t i = 0; i < kSafetensorsDtypes.size(); ++i) {
    if (kSafetensorsDtypes[i].dtype == dtype) return i;
  }
  TORCH_CHECK(false, "safetensors has no dtype ", dtype);
}

}  // namespace vlsi
