// Sixteen float32 numbers in a register of AVX-512. Private to each file that includes it, which must be compiled for
// AVX-512 F, BW, DQ and VL.
#pragma once

#ifdef __AVX512F__

#include <immintrin.h>

#include <cstdint>

namespace vlsi {
namespace {

struct Floats512 {
  using Vector = __m512;
  static constexpr int64_t kLanes = 16;
  static constexpr int kTileHeads = 4, kTileVectors = 4;

  static Vector zero() { return _mm512_setzero_ps(); }
  static Vector all(float x) { return _mm512_set1_ps(x); }
  static Vector load(const float* x) { return _mm512_loadu_ps(x); }
  static Vector load(const uint16_t* x) { return widened(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(x))); }
  static Vector load_first(const float* x, int64_t count) { return _mm512_maskz_loadu_ps(first(count), x); }
  static Vector load_first(const uint16_t* x, int64_t count) {
    return widened(_mm256_maskz_loadu_epi16(first(count), x));
  }
  static void store(float* to, Vector x) { _mm512_storeu_ps(to, x); }
  static Vector add(Vector a, Vector b) { return _mm512_add_ps(a, b); }
  static Vector subtract(Vector a, Vector b) { return _mm512_sub_ps(a, b); }
  static Vector multiply_add(Vector a, Vector b, Vector c) { return _mm512_fmadd_ps(a, b, c); }
  static Vector maximum(Vector a, Vector b) { return _mm512_max_ps(a, b); }
  static float largest_lane(Vector x) { return _mm512_reduce_max_ps(x); }
  static float sum_of_lanes(Vector x) { return _mm512_reduce_add_ps(x); }

  /// totals [4], each the sum of a vector's lanes.
  static void add_lanes(const Vector (&x)[4], float* totals) {
    __m256 half[4];
    for (int i = 0; i < 4; ++i) {
      half[i] = _mm256_add_ps(_mm512_castps512_ps256(x[i]), _mm512_extractf32x8_ps(x[i], 1));
    }
    const __m256 pairs = _mm256_hadd_ps(_mm256_hadd_ps(half[0], half[1]), _mm256_hadd_ps(half[2], half[3]));
    _mm_storeu_ps(totals, _mm_add_ps(_mm256_castps256_ps128(pairs), _mm256_extractf128_ps(pairs, 1)));
  }

  /// e^x for x <= 0, relative error 2e-7; below -87 it is e^-87. A NaN stays.
  static Vector exponential(Vector x) {
    x = _mm512_max_ps(_mm512_set1_ps(-87), x);
    const __m512 n = _mm512_roundscale_ps(_mm512_mul_ps(x, _mm512_set1_ps(1.44269504088896341F)), 0);
    const __m512 high = _mm512_fnmadd_ps(n, _mm512_set1_ps(0.693145751953125F), x);          // ln 2 in two parts
    const __m512 f = _mm512_fnmadd_ps(n, _mm512_set1_ps(1.42860682030941723212e-6F), high);  // |f| <= ln 2 / 2
    __m512 y = _mm512_set1_ps(1.0F / 5040);  // Taylor's series to the seventh power
    constexpr float kFactors[] = {1.0F / 720, 1.0F / 120, 1.0F / 24, 1.0F / 6, 0.5F, 1, 1};
    for (const float factor : kFactors) {
      y = _mm512_fmadd_ps(y, f, _mm512_set1_ps(factor));
    }
    return _mm512_scalef_ps(y, n);
  }

 private:
  static __mmask16 first(int64_t count) { return static_cast<__mmask16>((1U << count) - 1); }
  static Vector widened(__m256i bits) {
    return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(bits), 16));
  }
};

}  // namespace
}  // namespace vlsi

#endif
