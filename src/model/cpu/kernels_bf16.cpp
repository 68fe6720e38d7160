// Compiled for AVX512-BF16: nothing here may be an inline function or template that other files share.
#include "model/cpu/floats_avx512.h"
#include "model/cpu/row_tiles.h"

namespace vlsi {
namespace {

/// For multiply_rows_by: products of pairs of bfloat16 numbers, with float32 sums.
struct Bfloat16Rows {
  static constexpr int64_t kStep = 32, kTileRows = 4, kPrefetchedBytes = 0;
  using Sum = __m512;
  using Weight = __m512bh;

  struct Row {
    const uint16_t* data;
    __m512bh at(int64_t step) const { return reinterpret_cast<__m512bh>(_mm512_loadu_si512(data + step * kStep)); }
    __m512bh first(int64_t step, int64_t count) const {
      const auto mask = static_cast<__mmask32>((uint64_t{1} << count) - 1);
      return reinterpret_cast<__m512bh>(_mm512_maskz_loadu_epi16(mask, data + step * kStep));
    }
  };
  using Weights = Row;
  using Inputs = Row;

  static Weights weights(const RowOperands& operands, int64_t output) {
    const auto* row = static_cast<const char*>(operands.weight) + output * operands.weight_stride;
    return {reinterpret_cast<const uint16_t*>(row)};
  }
  static Inputs inputs(const RowOperands& operands, int64_t row) {
    return {static_cast<const uint16_t*>(operands.x) + row * operands.x_stride};
  }
  static Sum zero() { return _mm512_setzero_ps(); }
  static Sum add(Sum sum, Weight weight, __m512bh input) { return _mm512_dpbf16_ps(sum, weight, input); }
  static void add_lanes(const Sum (&sums)[kTileOutputs], float* totals) { Floats512::add_lanes(sums, totals); }
};

}  // namespace

void multiply_bfloat16_avx512bf16(const RowOperands& operands, int64_t first, int64_t last) {
  multiply_rows_by<Bfloat16Rows>(operands, first, last);
}

}  // namespace vlsi
