// What every kernel computes, in plain C++.
#include <algorithm>
#include <cmath>

#include "model/cpu/attention_tiles.h"
#include "model/cpu/row_tiles.h"

namespace vlsi {
namespace {

float number_of(float x) { return x; }
float number_of(uint16_t bits) { return widened(bits); }

/// y = sum over k of product(row, output, k), k = 0 ... width - 1.
template <class Product>
void multiply_plainly(const RowOperands& operands, int64_t first, int64_t last, const Product& product) {
  for (int64_t output = first; output < last; ++output) {
    for (int64_t row = 0; row < operands.num_rows; ++row) {
      float sum = 0;
      for (int64_t k = 0; k < operands.width; ++k) sum += product(row, output, k);
      store_outputs(operands, row, output, 1, &sum);
    }
  }
}

template <class Number>
void multiply_numbers(const RowOperands& operands, int64_t first, int64_t last) {
  multiply_plainly(operands, first, last, [&](int64_t row, int64_t output, int64_t k) {
    const auto* weight = static_cast<const char*>(operands.weight) + output * operands.weight_stride;
    return static_cast<const float*>(operands.x)[row * operands.x_stride + k] *
           number_of(reinterpret_cast<const Number*>(weight)[k]);
  });
}

/// A group's products: of each lane an exact sum of integers, times the lane's scale. weight(i) is the signed weight
/// that stands at byte i of the activations.
template <class Weight>
float group_product(const QuantizedGroup& x, const Weight& weight) {
  constexpr int64_t kHalf = kGroupWidth / 2;
  float total = 0;
  for (int64_t lane = 0; lane < kGroupLanes; ++lane) {
    int32_t sum = 0;
    for (int64_t i = 4 * lane; i < 4 * lane + 4; ++i) {
      sum += weight(i) * x.values[i] + weight(kHalf + i) * x.values[kHalf + i];
    }
    total += static_cast<float>(sum) * x.scale[lane];
  }
  return total;
}

const QuantizedGroup& group_of(const RowOperands& operands, int64_t row, int64_t k) {
  return static_cast<const QuantizedGroup*>(operands.x)[row * operands.x_stride + k];
}

template <class Number>
void attend_plainly(const AttentionPiece& piece) {
  for (int64_t head = 0; head < piece.num_heads; ++head) {
    const float* q = piece.q + head * piece.padded_width;
    float* const sums = piece.sums + head * piece.padded_width;
    float* const p = piece.logits + head * kPieceTokens;
    for (int64_t token = 0; token < piece.num_tokens; ++token) {
      const auto* k = token_row<Number>(piece.k, piece.k_stride, piece.blocks, token);
      p[token] = 0;
      for (int64_t i = 0; i < piece.width; ++i) p[token] += q[i] * number_of(k[i]);
    }
    piece.maximum[head] = *std::max_element(p, p + piece.num_tokens);
    piece.total[head] = 0;
    std::fill_n(sums, piece.padded_width, 0.0F);
    for (int64_t token = 0; token < piece.num_tokens; ++token) {
      const auto* v = token_row<Number>(piece.v, piece.v_stride, piece.blocks, token);
      p[token] = std::exp(p[token] - piece.maximum[head]);
      piece.total[head] += p[token];
      for (int64_t i = 0; i < piece.width; ++i) sums[i] += p[token] * number_of(v[i]);
    }
  }
}

void multiply_int8_plain(const RowOperands& operands, int64_t first, int64_t last) {
  multiply_plainly(operands, first, last, [&](int64_t row, int64_t output, int64_t k) {
    const auto* bytes =
        static_cast<const uint8_t*>(operands.weight) + output * operands.weight_stride + k * kGroupWidth;
    return group_product(group_of(operands, row, k), [&](int64_t i) { return int32_t{bytes[i]} - 128; });
  });
}

void multiply_int4_plain(const RowOperands& operands, int64_t first, int64_t last) {
  multiply_plainly(operands, first, last, [&](int64_t row, int64_t output, int64_t k) {
    constexpr int64_t kHalf = kGroupWidth / 2;
    const auto* pairs = static_cast<const uint8_t*>(operands.weight) + output * operands.weight_stride + k * kHalf;
    const auto weight = [&](int64_t i) { return (i < kHalf ? pairs[i] & 15 : pairs[i - kHalf] >> 4) - 8; };
    return group_product(group_of(operands, row, k), weight) *
           widened(operands.group_scale[output * operands.width + k]);
  });
}

}  // namespace

const CpuKernels kPlainKernels{.name = "plain",
                               .float32 = multiply_numbers<float>,
                               .bfloat16 = multiply_numbers<uint16_t>,
                               .bfloat16_reads_bfloat16 = false,
                               .int8 = multiply_int8_plain,
                               .int4 = multiply_int4_plain,
                               .attend_float32 = attend_plainly<float>,
                               .attend_bfloat16 = attend_plainly<uint16_t>};

}  // namespace vlsi
