// Eight float32 numbers in a register of AVX2 with FMA. Private to each file that includes it.
#pragma once

#ifdef __AVX2__

#include <immintrin.h>

#include <cstdint>

namespace vlsi {
namespace {

struct Floats256 {
  using Vector = __m256;
  static constexpr int64_t kLanes = 8;
  static constexpr int kTileHeads = 2, kTileVectors = 4;

  static Vector zero() { return _mm256_setzero_ps(); }
  static Vector all(float x) { return _mm256_set1_ps(x); }
  static Vector load(const float* x) { return _mm256_loadu_ps(x); }
  static Vector load(const uint16_t* x) {
    const __m128i bits = _mm_loadu_si128(reinterpret_cast<const __m128i*>(x));
    return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(bits), 16));
  }
  template <class Number>
  static Vector load_first(const Number* x, int64_t count) {
    Number padded[kLanes] = {};
    for (int64_t i = 0; i < count; ++i) padded[i] = x[i];
    return load(padded);
  }
  static void store(float* to, Vector x) { _mm256_storeu_ps(to, x); }
  static Vector add(Vector a, Vector b) { return _mm256_add_ps(a, b); }
  static Vector subtract(Vector a, Vector b) { return _mm256_sub_ps(a, b); }
  static Vector multiply_add(Vector a, Vector b, Vector c) { return _mm256_fmadd_ps(a, b, c); }
  static Vector maximum(Vector a, Vector b) { return _mm256_max_ps(a, b); }
  static float largest_lane(Vector x) {
    __m128 y = _mm_max_ps(_mm256_castps256_ps128(x), _mm256_extractf128_ps(x, 1));
    y = _mm_max_ps(y, _mm_movehl_ps(y, y));
    return _mm_cvtss_f32(_mm_max_ss(y, _mm_movehdup_ps(y)));
  }
  static float sum_of_lanes(Vector x) {
    __m128 y = _mm_add_ps(_mm256_castps256_ps128(x), _mm256_extractf128_ps(x, 1));
    y = _mm_add_ps(y, _mm_movehl_ps(y, y));
    return _mm_cvtss_f32(_mm_add_ss(y, _mm_movehdup_ps(y)));
  }

  /// totals [4], each the sum of a vector's lanes.
  static void add_lanes(const Vector (&x)[4], float* totals) {
    const __m256 pairs = _mm256_hadd_ps(_mm256_hadd_ps(x[0], x[1]), _mm256_hadd_ps(x[2], x[3]));
    _mm_storeu_ps(totals, _mm_add_ps(_mm256_castps256_ps128(pairs), _mm256_extractf128_ps(pairs, 1)));
  }

  /// e^x for x <= 0, relative error 2e-7; below -87 it is e^-87. A NaN stays.
  static Vector exponential(Vector x) {
    x = _mm256_max_ps(_mm256_set1_ps(-87), x);
    const __m256 n = _mm256_round_ps(_mm256_mul_ps(x, _mm256_set1_ps(1.44269504088896341F)),
                                     _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
    const __m256 high = _mm256_fnmadd_ps(n, _mm256_set1_ps(0.693145751953125F), x);          // ln 2 in two parts
    const __m256 f = _mm256_fnmadd_ps(n, _mm256_set1_ps(1.42860682030941723212e-6F), high);  // |f| <= ln 2 / 2
    __m256 y = _mm256_set1_ps(1.0F / 5040);  // Taylor's series to the seventh power
    constexpr float kFactors[] = {1.0F / 720, 1.0F / 120, 1.0F / 24, 1.0F / 6, 0.5F, 1, 1};
    for (const float factor : kFactors) {
      y = _mm256_fmadd_ps(y, f, _mm256_set1_ps(factor));
    }
    const __m256i power = _mm256_slli_epi32(_mm256_add_epi32(_mm256_cvtps_epi32(n), _mm256_set1_epi32(127)), 23);
    return _mm256_mul_ps(y, _mm256_castsi256_ps(power));
  }
};

}  // namespace
}  // namespace vlsi

#endif
