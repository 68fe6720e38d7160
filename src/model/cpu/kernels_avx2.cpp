// For AVX2 with FMA, which every x86-64 processor of this program has.
#include "model/cpu/attention_tiles.h"
#include "model/cpu/float_rows.h"
#include "model/cpu/floats_avx2.h"

namespace vlsi {
namespace {

struct TwoVectors {
  __m256i lower, upper;  // lanes 0 ... 7 and 8 ... 15 of a group
};

inline TwoVectors load_two(const void* bytes) {
  const auto* from = static_cast<const __m256i*>(bytes);
  return {_mm256_loadu_si256(from), _mm256_loadu_si256(from + 1)};
}

struct GroupInputs256 {
  const QuantizedGroup* data;
  const QuantizedGroup& at(int64_t step) const { return data[step]; }
  const QuantizedGroup& first(int64_t step, int64_t) const { return data[step]; }
};

/// The sum of a lane's four products of unsigned bytes u <= 128 and signed bytes s; sums of two fit into 16 bits.
inline __m256i byte_products(__m256i u, __m256i s) {
  return _mm256_madd_epi16(_mm256_maddubs_epi16(u, s), _mm256_set1_epi16(1));
}

/// The same of signed bytes, none of which is -128.
inline __m256i signed_products(__m256i a, __m256i s) {
  return byte_products(_mm256_sign_epi8(a, a), _mm256_sign_epi8(s, a));
}

struct GroupSum {
  __m256 lower, upper;
};

inline void add_group_lanes(const GroupSum (&sums)[kTileOutputs], float* totals) {
  __m256 both[kTileOutputs];
  for (int i = 0; i < kTileOutputs; ++i) both[i] = _mm256_add_ps(sums[i].lower, sums[i].upper);
  Floats256::add_lanes(both, totals);
}

struct Int8Rows256 {
  static constexpr int64_t kStep = 1, kTileRows = 2, kPrefetchedBytes = 0;
  using Sum = GroupSum;
  using Weight = const uint8_t*;
  struct Weights {
    const uint8_t* data;
    Weight at(int64_t step) const { return data + step * kGroupWidth; }
    Weight first(int64_t step, int64_t) const { return at(step); }
  };
  using Inputs = GroupInputs256;

  static Weights weights(const RowOperands& operands, int64_t output) {
    return {static_cast<const uint8_t*>(operands.weight) + output * operands.weight_stride};
  }
  static Inputs inputs(const RowOperands& operands, int64_t row) {
    return {static_cast<const QuantizedGroup*>(operands.x) + row * operands.x_stride};
  }
  static Sum zero() { return {_mm256_setzero_ps(), _mm256_setzero_ps()}; }
  static Sum add(const Sum& sum, Weight weight, const QuantizedGroup& x) {
    const __m256i sign = _mm256_set1_epi8(-128);
    const auto low = load_two(weight), high = load_two(weight + 64);
    const auto x_low = load_two(x.values), x_high = load_two(x.values + 64);
    const auto products = [&](__m256i a, __m256i xa, __m256i b, __m256i xb) {
      return _mm256_cvtepi32_ps(_mm256_add_epi32(signed_products(_mm256_xor_si256(a, sign), xa),
                                                 signed_products(_mm256_xor_si256(b, sign), xb)));
    };
    return {_mm256_fmadd_ps(products(low.lower, x_low.lower, high.lower, x_high.lower), _mm256_loadu_ps(x.scale),
                            sum.lower),
            _mm256_fmadd_ps(products(low.upper, x_low.upper, high.upper, x_high.upper), _mm256_loadu_ps(x.scale + 8),
                            sum.upper)};
  }
  static void add_lanes(const Sum (&sums)[kTileOutputs], float* totals) { add_group_lanes(sums, totals); }
};

struct Int4Rows256 {
  static constexpr int64_t kStep = 1, kTileRows = 2, kPrefetchedBytes = 6 * 1024;
  using Sum = GroupSum;
  struct Weight {
    const uint8_t* pairs;
    float scale;
  };
  struct Weights {
    const uint8_t* data;
    const uint16_t* scale;
    Weight at(int64_t step) const { return {data + step * (kGroupWidth / 2), widened(scale[step])}; }
    Weight first(int64_t step, int64_t) const { return at(step); }
    void prefetch(int64_t step, int64_t bytes) const {
      __builtin_prefetch(data + step * (kGroupWidth / 2) + bytes, 0, 2);
    }
  };
  using Inputs = GroupInputs256;

  static Weights weights(const RowOperands& operands, int64_t output) {
    return {static_cast<const uint8_t*>(operands.weight) + output * operands.weight_stride,
            operands.group_scale + output * operands.width};
  }
  static Inputs inputs(const RowOperands& operands, int64_t row) {
    return {static_cast<const QuantizedGroup*>(operands.x) + row * operands.x_stride};
  }
  static Sum zero() { return {_mm256_setzero_ps(), _mm256_setzero_ps()}; }
  static Sum add(const Sum& sum, const Weight& weight, const QuantizedGroup& x) {
    const __m256i nibble = _mm256_set1_epi8(15);
    const __m256 scale = _mm256_set1_ps(weight.scale);
    const auto pairs = load_two(weight.pairs), offset = load_two(x.offset);
    const auto x_low = load_two(x.values), x_high = load_two(x.values + 64);
    const auto products = [&](__m256i both, __m256i low, __m256i high, __m256i too_much) {
      const __m256i sums = _mm256_add_epi16(
          _mm256_maddubs_epi16(_mm256_and_si256(both, nibble), low),
          _mm256_maddubs_epi16(_mm256_and_si256(_mm256_srli_epi16(both, 4), nibble), high));  // at most 4 · 15 · 127
      return _mm256_cvtepi32_ps(_mm256_add_epi32(too_much, _mm256_madd_epi16(sums, _mm256_set1_epi16(1))));
    };
    return {_mm256_fmadd_ps(products(pairs.lower, x_low.lower, x_high.lower, offset.lower),
                            _mm256_mul_ps(_mm256_loadu_ps(x.scale), scale), sum.lower),
            _mm256_fmadd_ps(products(pairs.upper, x_low.upper, x_high.upper, offset.upper),
                            _mm256_mul_ps(_mm256_loadu_ps(x.scale + 8), scale), sum.upper)};
  }
  static void add_lanes(const Sum (&sums)[kTileOutputs], float* totals) { add_group_lanes(sums, totals); }
};

}  // namespace

void multiply_int8_avx2(const RowOperands& operands, int64_t first, int64_t last) {
  multiply_rows_by<Int8Rows256>(operands, first, last);
}

void multiply_int4_avx2(const RowOperands& operands, int64_t first, int64_t last) {
  multiply_rows_by<Int4Rows256>(operands, first, last);
}

void multiply_float32_avx2(const RowOperands& operands, int64_t first, int64_t last) {
  multiply_rows_by<FloatRows<Floats256, float, 2>>(operands, first, last);
}

void multiply_bfloat16_avx2(const RowOperands& operands, int64_t first, int64_t last) {
  multiply_rows_by<FloatRows<Floats256, uint16_t, 2>>(operands, first, last);
}

void attend_float32_avx2(const AttentionPiece& piece) { attend_piece_by<Floats256, float>(piece); }

void attend_bfloat16_avx2(const AttentionPiece& piece) { attend_piece_by<Floats256, uint16_t>(piece); }

}  // namespace vlsi
