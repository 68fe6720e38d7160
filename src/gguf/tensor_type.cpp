#include "gguf/tensor_type.h"

#include <c10/util/BFloat16.h>
#include <c10/util/Half.h>

#include <cmath>
#include <cstring>
#include <limits>

// This file is compiled without fused multiply-adds: a product is rounded before 8.5 is added to it, as ggml's is.

namespace vlsi {
namespace {

constexpr int64_t kBlock = 32;         // values of a quantised block
constexpr float kLargestHalf = 65504;  // of a scale, too
constexpr float kQ8 = 127, kQ4 = 8;    // the largest quantised magnitudes

template <class Number>
void encode_number(const float* block, std::byte* out) {
  const Number number = *block;
  std::memcpy(out, &number, sizeof number);
}

void write_scale(float scale, std::byte* out) { encode_number<c10::Half>(&scale, out); }

float inverse(float scale) { return scale != 0 ? 1.0F / scale : 0.0F; }

/// The scale, largest magnitude / 127, and each number as a multiple of it, halves away from zero.
void encode_q8_0(const float* block, std::byte* out) {
  float largest = 0;
  for (int64_t i = 0; i < kBlock; ++i) largest = std::fmax(largest, std::fabs(block[i]));
  const float scale = largest / kQ8, to_steps = inverse(scale);
  write_scale(scale, out);
  for (int64_t i = 0; i < kBlock; ++i) {
    out[2 + i] = static_cast<std::byte>(static_cast<int8_t>(std::round(block[i] * to_steps)));
  }
}

/// The scale, the number of the largest magnitude / -8, and each number as a multiple of it plus 8, from 0 to 15: those
/// of the first half of the block in the low four bits, those of the second in the high ones.
void encode_q4_0(const float* block, std::byte* out) {
  float largest = 0, extreme = 0;
  for (int64_t i = 0; i < kBlock; ++i) {
    if (largest < std::fabs(block[i])) {
      largest = std::fabs(block[i]);
      extreme = block[i];
    }
  }
  const float scale = extreme / -kQ4, to_steps = inverse(scale);
  write_scale(scale, out);
  const auto step = [&](int64_t i) {
    const float scaled = block[i] * to_steps;
    const auto whole = static_cast<int>(scaled + 8.5F);
    return whole < 15 ? whole : 15;
  };
  for (int64_t i = 0; i < kBlock / 2; ++i) out[2 + i] = static_cast<std::byte>(step(i) | step(i + kBlock / 2) << 4);
}

}  // namespace

Table<TensorType>& tensor_types() {
  static Table<TensorType> types{
      {"f16", "16 bits, of float16", 1, 1, 1, 2, kLargestHalf, encode_number<c10::Half>},
      {"bf16", "16 bits, of bfloat16", 30, 32, 1, 2, 3.38e38F, encode_number<c10::BFloat16>},
      {"q8_0", "8 bits, 32 numbers with one scale", 8, 7, kBlock, 2 + kBlock, kQ8 * kLargestHalf, encode_q8_0},
      {"q4_0", "4 bits, 32 numbers with one scale; the language head q8_0", 2, 2, kBlock, 2 + kBlock / 2,
       kQ4 * kLargestHalf, encode_q4_0},
      {"f32", "32 bits", 0, 0, 1, 4, std::numeric_limits<float>::max(), encode_number<float>}};
  return types;
}

const TensorType& tensor_type(std::string_view name) {
  const auto* type = tensor_types().find(name);
  TORCH_CHECK(type != nullptr, "no tensor type ", name);
  return *type;
}

}  // namespace vlsi
