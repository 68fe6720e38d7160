// What AVX512-BF16 does of a pass over a vocabulary, or of attention: products of bfloat16 numbers with float32 sums,
// and the softmax of a tile of logits.
//
// Positions lie side by side in vector lanes. A *panel* is at most kPanelLanes positions; a matrix [K, lanes] of a
// panel holds neighbouring rows as pairs, [K / 2, lanes, 2], which is how the instruction reads it. Lanes are a
// multiple of kVectorLanes; those beyond the last position hold zeros. bfloat16 numbers are passed as their bits. Only
// for processors where has_avx512_bf16().
#pragma once

#include <cstdint>

namespace vlsi {

inline constexpr int64_t kVectorLanes = 16;
inline constexpr int64_t kPanelLanes =
    48;  // with kBlockRows: 24 sums in registers, which hides the latency of the product
inline constexpr int64_t kBlockRows = 8;
inline constexpr int64_t kMaxBlockLanes = 512;  // of the functions that take any number of lanes

/// Whether there are the AVX-512 instructions that kernels, and oneDNN's of bfloat16, are made of.
bool has_avx512();
bool has_avx512_bf16();
/// Whether there are AMX tiles beside it.
bool has_amx_bf16();

/// x [num_rows <= lanes, width] with `stride` numbers between rows -> panel [width / 2, lanes, 2]. width even.
void pack_panel(const uint16_t* x, int64_t num_rows, int64_t stride, int64_t width, int64_t lanes, uint16_t* panel);

/// x [num_pairs * 2, width] -> blocks [width / kBlockRows, num_pairs, kBlockRows, 2], the transpose as a product's left
/// side. Packs the columns first ... last of x, multiples of kBlockRows.
void pack_blocks(const uint16_t* x, int64_t num_pairs, int64_t width, int64_t first, int64_t last, uint16_t* blocks);

/// The columns first ... first + lanes of x [num_rows, width] -> panel [ceil(num_rows / 2), lanes, 2]; an odd last row
/// gets zeros.
void pack_pairs(const uint16_t* x, int64_t num_rows, int64_t width, int64_t first, int64_t lanes, uint16_t* panel);

/// c [num_rows, lanes] = a · panel, a [num_rows, 2 * num_pairs] with `stride` numbers between rows.
void multiply_rows(const uint16_t* a, int64_t stride, int64_t num_rows, int64_t num_pairs, const uint16_t* panel,
                   int64_t lanes, float* c, int64_t c_stride);

/// c [num_rows, lanes] += a · panel, a in the layout of pack_blocks; num_rows a multiple of kBlockRows.
void add_product_of_blocks(const uint16_t* blocks, int64_t num_rows, int64_t num_pairs, const uint16_t* panel,
                           int64_t lanes, float* c);

/// A running softmax over the vocabulary, a number a lane in each field; `maximum` begins at kNoMaximum, the rest at
/// zero. With p = exp(z - maximum), summed over the vocabulary so far: `sum` of p, `rounded_sum` of p rounded to
/// bfloat16, `weighted_sum` of p rounded times (z - maximum).
inline constexpr float kNoMaximum = -1e30F;
struct RunningSoftmax {
  float *maximum, *sum, *rounded_sum, *weighted_sum;
};

/// How the probabilities of a tile are stored.
enum class TileLayout { kPairs, kRows };  // [num_rows / 2, lanes, 2], or [num_rows, lanes]

/// Takes a tile of logits z [num_rows, lanes] into `state` and writes its probabilities, rounded to bfloat16, to p.
/// Where the maximum of a position has grown by more than a slack, what was summed before it must shrink: then returns
/// true and writes the factor of every lane to `shrink`. num_rows even.
bool take_tile(const float* z, int64_t num_rows, int64_t lanes, const RunningSoftmax& state, TileLayout layout,
               uint16_t* p, float* shrink);

/// p [num_rows, lanes] = g exp(z - logsumexp), rounded to bfloat16, in row layout with `p_stride` numbers between rows.
/// z [num_rows, lanes]; logsumexp and g [lanes].
void weigh_tile(const float* z, int64_t num_rows, int64_t lanes, const float* logsumexp, const float* g, uint16_t* p,
                int64_t p_stride);

/// x [num_rows, lanes] *= factor [lanes], column by column.
void scale_columns(float* x, int64_t num_rows, int64_t lanes, const float* factor);

}  // namespace vlsi
