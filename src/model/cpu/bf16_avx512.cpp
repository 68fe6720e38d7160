// Compiled for AVX512-BF16: nothing here may be an inline function or template of a shared header, or the linker could
// give other files a copy with instructions that their processor lacks.
#include "model/cpu/bf16_avx512.h"

#include <cpuid.h>
#include <immintrin.h>

namespace vlsi {
namespace {

constexpr float kSlack = 4;  // a maximum may lag by this much: probabilities up to e^4 lose no precision

constexpr int64_t kDepthPairs =
    768;  // of a product at a time: 144 KiB of a panel, which stay in the second-level cache

struct Rows {  // a left side with rows one after the other
  const uint16_t* data;
  int64_t stride;
  __m512bh pair(int64_t row, int64_t k) const { return broadcast(data + row * stride + 2 * k); }
  static __m512bh broadcast(const uint16_t* numbers) {
    int32_t bits;
    __builtin_memcpy(&bits, numbers, sizeof(bits));
    return reinterpret_cast<__m512bh>(_mm512_set1_epi32(bits));
  }
};

struct Block {  // a left side of kBlockRows rows, pair by pair
  const uint16_t* data;
  __m512bh pair(int64_t row, int64_t k) const { return Rows::broadcast(data + (k * kBlockRows + row) * 2); }
};

/// c [R, 16 V] (+)= left [R, 2 num_pairs] · panel: R x V sums in registers.
template <int R, int V, bool add, class Left>
inline __attribute__((always_inline)) void multiply(const Left& left, int64_t num_pairs, const uint16_t* panel,
                                                    float* c, int64_t c_stride) {
  __m512 sums[R][V];
  for (int r = 0; r < R; ++r) {
    for (int v = 0; v < V; ++v) sums[r][v] = add ? _mm512_loadu_ps(c + r * c_stride + 16 * v) : _mm512_setzero_ps();
  }
  for (int64_t k = 0; k < num_pairs; ++k) {
    __m512bh right[V];
    for (int v = 0; v < V; ++v) right[v] = reinterpret_cast<__m512bh>(_mm512_loadu_si512(panel + (k * V + v) * 32));
    for (int r = 0; r < R; ++r) {
      const __m512bh pair = left.pair(r, k);
      for (int v = 0; v < V; ++v) sums[r][v] = _mm512_dpbf16_ps(sums[r][v], pair, right[v]);
    }
  }
  for (int r = 0; r < R; ++r) {
    for (int v = 0; v < V; ++v) _mm512_storeu_ps(c + r * c_stride + 16 * v, sums[r][v]);
  }
}

template <int V, bool add>
void multiply_depth(const uint16_t* a, int64_t stride, int64_t num_rows, int64_t num_pairs, const uint16_t* panel,
                    float* c, int64_t c_stride) {
  int64_t row = 0;
  for (; row + kBlockRows <= num_rows; row += kBlockRows) {
    multiply<kBlockRows, V, add>(Rows{a + row * stride, stride}, num_pairs, panel, c + row * c_stride, c_stride);
  }
  for (; row < num_rows; ++row) {
    multiply<1, V, add>(Rows{a + row * stride, stride}, num_pairs, panel, c + row * c_stride, c_stride);
  }
}

template <int V>
void multiply_rows_of(const uint16_t* a, int64_t stride, int64_t num_rows, int64_t num_pairs, const uint16_t* panel,
                      float* c, int64_t c_stride) {
  multiply_depth<V, false>(a, stride, num_rows, num_pairs < kDepthPairs ? num_pairs : kDepthPairs, panel, c, c_stride);
  for (int64_t k = kDepthPairs; k < num_pairs; k += kDepthPairs) {
    const int64_t left = num_pairs - k;
    multiply_depth<V, true>(a + 2 * k, stride, num_rows, left < kDepthPairs ? left : kDepthPairs, panel + k * V * 32, c,
                            c_stride);
  }
}

template <int V>
void add_blocks(const uint16_t* blocks, int64_t num_rows, int64_t num_pairs, const uint16_t* panel, float* c) {
  constexpr int64_t lanes = 16 * V;
  for (int64_t row = 0; row < num_rows; row += kBlockRows) {
    if (row + kBlockRows < num_rows) {  // the next sums are on their way while these are made
      for (int64_t i = 0; i < kBlockRows * V; ++i) _mm_prefetch(c + (row + kBlockRows) * lanes + i * 16, _MM_HINT_T0);
    }
    multiply<kBlockRows, V, true>(Block{blocks + row * num_pairs * 2}, num_pairs, panel, c + row * lanes, lanes);
  }
}

/// e^x for x <= kSlack, relative error 2e-7; below -87 it is e^-87, which no sum over a vocabulary notices.
inline __attribute__((always_inline)) __m512 exponential(__m512 x) {
  x = _mm512_max_ps(_mm512_set1_ps(-87), x);  // in this order a NaN stays
  const __m512 n = _mm512_roundscale_ps(_mm512_mul_ps(x, _mm512_set1_ps(1.44269504088896341F)), 0);
  const __m512 high = _mm512_fnmadd_ps(n, _mm512_set1_ps(0.693145751953125F), x);          // ln 2 in two parts
  const __m512 f = _mm512_fnmadd_ps(n, _mm512_set1_ps(1.42860682030941723212e-6F), high);  // |f| <= ln 2 / 2
  __m512 y = _mm512_set1_ps(1.0F / 5040);  // Taylor's series to the seventh power
  y = _mm512_fmadd_ps(y, f, _mm512_set1_ps(1.0F / 720));
  y = _mm512_fmadd_ps(y, f, _mm512_set1_ps(1.0F / 120));
  y = _mm512_fmadd_ps(y, f, _mm512_set1_ps(1.0F / 24));
  y = _mm512_fmadd_ps(y, f, _mm512_set1_ps(1.0F / 6));
  y = _mm512_fmadd_ps(y, f, _mm512_set1_ps(0.5F));
  y = _mm512_fmadd_ps(y, f, _mm512_set1_ps(1));
  y = _mm512_fmadd_ps(y, f, _mm512_set1_ps(1));
  return _mm512_scalef_ps(y, n);
}

/// The bits of x rounded to the nearest bfloat16, even on ties, in the upper half of each lane; the lower half is zero.
inline __attribute__((always_inline)) __m512i rounded_bits(__m512 x) {
  const __m512i bits = _mm512_castps_si512(x);
  const __m512i odd = _mm512_and_si512(_mm512_srli_epi32(bits, 16), _mm512_set1_epi32(1));
  const __m512i sum = _mm512_add_epi32(bits, _mm512_add_epi32(odd, _mm512_set1_epi32(0x7fff)));
  return _mm512_and_si512(sum, _mm512_set1_epi32(static_cast<int>(0xffff0000U)));
}

inline __attribute__((always_inline)) void store_row(uint16_t* to, __m512i bits) {
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(to), _mm512_cvtepi32_epi16(_mm512_srli_epi32(bits, 16)));
}

/// Largest of z [num_rows] of one vector of lanes.
inline __attribute__((always_inline)) __m512 column_maximum(const float* z, int64_t num_rows, int64_t stride) {
  __m512 even = _mm512_loadu_ps(z), odd = _mm512_loadu_ps(z + stride);
  for (int64_t row = 2; row < num_rows; row += 2) {
    even = _mm512_max_ps(even, _mm512_loadu_ps(z + row * stride));
    odd = _mm512_max_ps(odd, _mm512_loadu_ps(z + (row + 1) * stride));
  }
  return _mm512_max_ps(even, odd);
}

/// Probabilities of one vector of lanes and their three sums.
template <TileLayout layout>
inline __attribute__((always_inline)) void exponentials(const float* z, int64_t num_rows, int64_t lanes, __m512 maximum,
                                                        uint16_t* p, __m512 (&sums)[3]) {
  __m512 partial[2][3];
  for (auto& half : partial) {
    for (auto& value : half) value = _mm512_setzero_ps();
  }
  for (int64_t row = 0; row < num_rows; row += 2) {
    __m512i bits[2];
    for (int half = 0; half < 2; ++half) {
      const __m512 below = _mm512_sub_ps(_mm512_loadu_ps(z + (row + half) * lanes), maximum);
      const __m512 value = exponential(below);
      bits[half] = rounded_bits(value);
      const __m512 rounded = _mm512_castsi512_ps(bits[half]);
      partial[half][0] = _mm512_add_ps(partial[half][0], value);
      partial[half][1] = _mm512_add_ps(partial[half][1], rounded);
      partial[half][2] = _mm512_fmadd_ps(rounded, below, partial[half][2]);
    }
    if (layout == TileLayout::kPairs) {
      _mm512_storeu_si512(p + row * lanes, _mm512_or_si512(_mm512_srli_epi32(bits[0], 16), bits[1]));
    } else {
      store_row(p + row * lanes, bits[0]);
      store_row(p + (row + 1) * lanes, bits[1]);
    }
  }
  for (int i = 0; i < 3; ++i) sums[i] = _mm512_add_ps(partial[0][i], partial[1][i]);
}

inline __attribute__((always_inline)) void add_to(float* total, __m512 value) {
  _mm512_storeu_ps(total, _mm512_add_ps(_mm512_loadu_ps(total), value));
}

}  // namespace

bool has_avx512() {
  return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
         __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
}

bool has_avx512_bf16() { return has_avx512() && __builtin_cpu_supports("avx512bf16"); }

bool has_amx_bf16() {
  unsigned eax = 0, ebx = 0, ecx = 0, edx = 0;
  return has_avx512_bf16() && __get_cpuid_count(7, 0, &eax, &ebx, &ecx, &edx) != 0 && (edx & (1U << 22)) != 0;
}

void pack_panel(const uint16_t* x, int64_t num_rows, int64_t stride, int64_t width, int64_t lanes, uint16_t* panel) {
  for (int64_t k = 0; k < width / 2; ++k) {
    uint16_t* to = panel + k * lanes * 2;
    for (int64_t lane = 0; lane < num_rows; ++lane) __builtin_memcpy(to + lane * 2, x + lane * stride + 2 * k, 4);
    __builtin_memset(to + num_rows * 2, 0, static_cast<size_t>((lanes - num_rows) * 4));
  }
}

void pack_blocks(const uint16_t* x, int64_t num_pairs, int64_t width, int64_t first, int64_t last, uint16_t* blocks) {
  // Numbers of an upper and a lower row in turn, eight columns at a time.
  const __m256i order = _mm256_set_epi16(15, 7, 14, 6, 13, 5, 12, 4, 11, 3, 10, 2, 9, 1, 8, 0);
  for (int64_t column = first; column < last; column += kBlockRows) {
    uint16_t* to = blocks + column * num_pairs * 2;
    for (int64_t k = 0; k < num_pairs; ++k) {
      const uint16_t* from = x + 2 * k * width + column;
      const __m128i upper = _mm_loadu_si128(reinterpret_cast<const __m128i*>(from));
      const __m128i lower = _mm_loadu_si128(reinterpret_cast<const __m128i*>(from + width));
      const __m256i both = _mm256_permutexvar_epi16(order, _mm256_set_m128i(lower, upper));
      _mm256_storeu_si256(reinterpret_cast<__m256i*>(to + k * kBlockRows * 2), both);
    }
  }
}

void pack_pairs(const uint16_t* x, int64_t num_rows, int64_t width, int64_t first, int64_t lanes, uint16_t* panel) {
  const __m512i zero = _mm512_setzero_si512();
  for (int64_t row = 0; row < num_rows; row += 2) {
    for (int64_t lane = 0; lane < lanes; lane += kVectorLanes) {
      const uint16_t* from = x + row * width + first + lane;
      const auto widened = [](const uint16_t* numbers) {
        return _mm512_cvtepu16_epi32(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(numbers)));
      };
      const __m512i lower = row + 1 < num_rows ? widened(from + width) : zero;
      _mm512_storeu_si512(panel + (row * lanes) + lane * 2,
                          _mm512_or_si512(widened(from), _mm512_slli_epi32(lower, 16)));
    }
  }
}

void multiply_rows(const uint16_t* a, int64_t stride, int64_t num_rows, int64_t num_pairs, const uint16_t* panel,
                   int64_t lanes, float* c, int64_t c_stride) {
  switch (lanes / kVectorLanes) {
    case 1: return multiply_rows_of<1>(a, stride, num_rows, num_pairs, panel, c, c_stride);
    case 2: return multiply_rows_of<2>(a, stride, num_rows, num_pairs, panel, c, c_stride);
    default: return multiply_rows_of<3>(a, stride, num_rows, num_pairs, panel, c, c_stride);
  }
}

void add_product_of_blocks(const uint16_t* blocks, int64_t num_rows, int64_t num_pairs, const uint16_t* panel,
                           int64_t lanes, float* c) {
  switch (lanes / kVectorLanes) {
    case 1: return add_blocks<1>(blocks, num_rows, num_pairs, panel, c);
    case 2: return add_blocks<2>(blocks, num_rows, num_pairs, panel, c);
    default: return add_blocks<3>(blocks, num_rows, num_pairs, panel, c);
  }
}

bool take_tile(const float* z, int64_t num_rows, int64_t lanes, const RunningSoftmax& state, TileLayout layout,
               uint16_t* p, float* shrink) {
  bool has_grown = false;
  for (int64_t lane = 0; lane < lanes; lane += kVectorLanes) {
    const __m512 before = _mm512_loadu_ps(state.maximum + lane);
    const __m512 here = column_maximum(z + lane, num_rows, lanes);
    const __mmask16 grown = _mm512_cmp_ps_mask(here, _mm512_add_ps(before, _mm512_set1_ps(kSlack)), _CMP_GT_OQ);
    const __m512 maximum = _mm512_mask_mov_ps(before, grown, here);
    const __m512 drop = _mm512_sub_ps(before, maximum);
    const __m512 factor = _mm512_mask_mov_ps(_mm512_set1_ps(1), grown, exponential(drop));
    if (grown != 0) {
      has_grown = true;
      const __m512 rounded = _mm512_loadu_ps(state.rounded_sum + lane);
      const __m512 weighted = _mm512_fmadd_ps(drop, rounded, _mm512_loadu_ps(state.weighted_sum + lane));
      _mm512_storeu_ps(state.sum + lane, _mm512_mul_ps(_mm512_loadu_ps(state.sum + lane), factor));
      _mm512_storeu_ps(state.rounded_sum + lane, _mm512_mul_ps(rounded, factor));
      _mm512_storeu_ps(state.weighted_sum + lane, _mm512_mul_ps(weighted, factor));
      _mm512_storeu_ps(state.maximum + lane, maximum);
    }
    _mm512_storeu_ps(shrink + lane, factor);

    __m512 sums[3];
    if (layout == TileLayout::kPairs) {
      exponentials<TileLayout::kPairs>(z + lane, num_rows, lanes, maximum, p + lane * 2, sums);
    } else {
      exponentials<TileLayout::kRows>(z + lane, num_rows, lanes, maximum, p + lane, sums);
    }
    add_to(state.sum + lane, sums[0]);
    add_to(state.rounded_sum + lane, sums[1]);
    add_to(state.weighted_sum + lane, sums[2]);
  }
  return has_grown;
}

void weigh_tile(const float* z, int64_t num_rows, int64_t lanes, const float* logsumexp, const float* g, uint16_t* p,
                int64_t p_stride) {
  for (int64_t lane = 0; lane < lanes; lane += kVectorLanes) {
    const __m512 c = _mm512_loadu_ps(logsumexp + lane), weight = _mm512_loadu_ps(g + lane);
    for (int64_t row = 0; row < num_rows; ++row) {
      const __m512 q = exponential(_mm512_sub_ps(_mm512_loadu_ps(z + row * lanes + lane), c));
      store_row(p + row * p_stride + lane, rounded_bits(_mm512_mul_ps(q, weight)));
    }
  }
}

void scale_columns(float* x, int64_t num_rows, int64_t lanes, const float* factor) {
  for (int64_t row = 0; row < num_rows; ++row) {
    for (int64_t lane = 0; lane < lanes; lane += kVectorLanes) {
      float* at = x + row * lanes + lane;
      _mm512_storeu_ps(at, _mm512_mul_ps(_mm512_loadu_ps(at), _mm512_loadu_ps(factor + lane)));
    }
  }
}

}  // namespace vlsi
