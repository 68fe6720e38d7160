// The innermost loops of decoding on the CPU, once for every instruction set that they are compiled for.
//
// Numbers in bfloat16 are passed as their bits. (T rows, H heads, d head width)
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

namespace vlsi {

inline constexpr int64_t kGroupWidth = 128;  // of a quantised weight's inputs: int4 has a scale for each group
inline constexpr int64_t kGroupLanes = 16;   // of which each has eight inputs, and a scale of the activations

/// A group of a row's activations, quantised. Input 64 h + 16 i + l of a group, for i < 4, belongs to lane l and is
/// byte 4 l + i of half h: what a lane's four bytes times those of a weight add up to, both halves' together, has one
/// scale. `offset` is what a product with the weights' unsigned bytes has too much, negative: -128 (int8) or -8 (int4)
/// times the sum of the lane's values.
struct alignas(64) QuantizedGroup {
  int8_t values[kGroupWidth];
  float scale[kGroupLanes];
  int32_t offset[kGroupLanes];
};

/// y [T, out] = x [T, in] · Wᵀ (· scale) (+ bias), of some of the output channels.
struct RowOperands {
  const void* x;          // [T, in] in the dtype that the kernel reads; or [T, groups] of QuantizedGroup
  int64_t x_stride;       // elements between rows
  int64_t num_rows;       // T
  const void* weight;     // [out, in] float32 or bfloat16; [out, groups, 128] bytes; [out, groups, 64] pairs of nibbles
  int64_t weight_stride;  // bytes between output channels
  int64_t width;          // in; of a quantised weight the number of groups
  const uint16_t* group_scale;  // int4: [out, groups] bfloat16
  const float* channel_scale;   // int8: [out]
  const void* bias;             // [out] or null
  bool bias_is_bfloat16;
  void* y;           // [T, out]
  int64_t y_stride;  // elements between rows
  bool y_is_bfloat16;
};

/// The products of output channels first ... last - 1.
using RowKernel = void (*)(const RowOperands& operands, int64_t first, int64_t last);

inline constexpr int64_t kBlockSlots = 16;    // consecutive slots of a key/value pool, which belong to one sequence
inline constexpr int64_t kPieceTokens = 256;  // of a sequence at a time: long ones are attended to piece by piece

/// Attention of the query heads of one key head to some tokens of one sequence.
struct AttentionPiece {
  const float* q;              // [num_heads, padded width], times 1/√d; zeros behind the width
  int64_t num_heads;           // that share the key head
  int64_t width;               // d
  int64_t padded_width;        // a multiple of kBlockSlots
  const void *k, *v;           // the key head's row of slot 0, in the pool's dtype
  int64_t k_stride, v_stride;  // elements between slots
  const int32_t* blocks;       // of the piece's tokens: token t is in slot blocks[t / 16] * 16 + t % 16
  int64_t num_tokens;          // at most kPieceTokens
  float* logits;               // workspace [num_heads, kPieceTokens]
  float *maximum, *total;      // [num_heads]: of the logits; of e^(logit - maximum)
  float* sums;                 // [num_heads, padded width]: of e^(logit - maximum) v
};

using AttentionKernel = void (*)(const AttentionPiece& piece);

/// The kernels of one instruction set. A row of a product is the same bit for bit whatever rows are beside it.
struct CpuKernels {
  std::string_view name;
  RowKernel float32;
  RowKernel bfloat16;
  bool bfloat16_reads_bfloat16;  // activations beside bfloat16 weights; otherwise they are float32
  RowKernel int8, int4;
  AttentionKernel attend_float32, attend_bfloat16;
};

/// Whether LibTorch multiplies bfloat16 matrices fast on this processor: of x86-64 those with AVX-512, for oneDNN has
/// no such products for others.
bool has_bfloat16_matrix_products();

/// What this processor can run: the plain definitions first, the fastest last.
std::span<const CpuKernels> available_kernels();
inline const CpuKernels& best_kernels() { return available_kernels().back(); }

/// The definitions.
extern const CpuKernels kPlainKernels;

void multiply_float32_avx2(const RowOperands& operands, int64_t first, int64_t last);
void multiply_bfloat16_avx2(const RowOperands& operands, int64_t first, int64_t last);
void multiply_int8_avx2(const RowOperands& operands, int64_t first, int64_t last);
void multiply_int4_avx2(const RowOperands& operands, int64_t first, int64_t last);
void attend_float32_avx2(const AttentionPiece& piece);
void attend_bfloat16_avx2(const AttentionPiece& piece);

void multiply_float32_avx512(const RowOperands& operands, int64_t first, int64_t last);
void multiply_bfloat16_avx512(const RowOperands& operands, int64_t first, int64_t last);
void attend_float32_avx512(const AttentionPiece& piece);
void attend_bfloat16_avx512(const AttentionPiece& piece);

void multiply_int8_vnni(const RowOperands& operands, int64_t first, int64_t last);
void multiply_int4_vnni(const RowOperands& operands, int64_t first, int64_t last);
void multiply_bfloat16_avx512bf16(const RowOperands& operands, int64_t first, int64_t last);

}  // namespace vlsi
