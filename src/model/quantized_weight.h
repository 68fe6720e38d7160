// A linear map's weight in 8 or 4 bits a number, as the products of few rows read it. (G groups of 128 inputs)
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

#include "base/words.h"

namespace vlsi {

enum class Quantization { kNone, kInt8, kInt4 };

template <>
struct EnumNames<Quantization> {
  static constexpr EnumName<Quantization> all[]{
      {"none", Quantization::kNone, "weights as they are"},
      {"int8", Quantization::kInt8, "8 bits, a scale for each output channel"},
      {"int4", Quantization::kInt4, "4 bits, a scale for each 128 inputs of an output channel"}};
};

/// W [out, in] ≈ scale · q. Inputs are padded with zeros to whole groups; a group's numbers are in the order of
/// QuantizedGroup (cpu_kernels.h).
struct QuantizedWeight {
  Quantization kind = Quantization::kNone;
  int64_t in_features = 0;
  at::Tensor values;  // int8: bytes [out, G, 128] of q + 128, q from -127 to 127; int4: [out, G, 64] of q + 8, q from
                      // -8 to 7, the first half of a group in the low four bits
  at::Tensor scale;   // int8: float32 [out]; int4: bfloat16 [out, G]

  int64_t out_features() const { return values.size(0); }
  int64_t num_groups() const { return values.size(1); }
  int64_t num_bytes() const;

  /// scale · q of the output channels first ... last - 1, [last - first, in], rounded once to `dtype`, float32 or
  /// bfloat16.
  at::Tensor dequantized(at::ScalarType dtype, int64_t first, int64_t last) const;
  at::Tensor dequantized(at::ScalarType dtype) const { return dequantized(dtype, 0, out_features()); }
};

/// Of weight [out, in], float32 or bfloat16 on the CPU; `kind` is not kNone. int8 has the scale by which the largest
/// number of the channel is 127; int4, of a few scales, the one with the smallest squared error over the group.
QuantizedWeight quantize_weight(const at::Tensor& weight, Quantization kind);

/// Bytes of a weight [out, in] in `kind`.
int64_t quantized_bytes(int64_t out_features, int64_t in_features, Quantization kind);

/// A tensor of this one's shape and dtype that has no values: reading one is an error.
at::Tensor without_values(const at::Tensor& parameter);
bool has_values(const at::Tensor& parameter);

}  // namespace vlsi
