// Compiled for AVX512-VNNI: nothing here may be an inline function or template that other files share.
#include "model/cpu/floats_avx512.h"
#include "model/cpu/row_tiles.h"

namespace vlsi {
namespace {

/// A group of quantised activations in registers.
struct GroupInput {
  __m512i low, high, offset;
  __m512 scale;
};

struct GroupInputs {
  const QuantizedGroup* data;
  GroupInput at(int64_t step) const {
    const auto& group = data[step];
    return {_mm512_loadu_si512(group.values), _mm512_loadu_si512(group.values + 64), _mm512_loadu_si512(group.offset),
            _mm512_loadu_ps(group.scale)};
  }
  GroupInput first(int64_t step, int64_t) const { return at(step); }
};

inline GroupInputs inputs_of(const RowOperands& operands, int64_t row) {
  return {static_cast<const QuantizedGroup*>(operands.x) + row * operands.x_stride};
}

/// The sums of each lane's eight products, exact.
inline __m512 lane_sums(__m512i low, __m512i high, const GroupInput& x) {
  return _mm512_cvtepi32_ps(_mm512_dpbusd_epi32(_mm512_dpbusd_epi32(x.offset, low, x.low), high, x.high));
}

struct Int8Rows {
  static constexpr int64_t kStep = 1, kTileRows = 4, kPrefetchedBytes = 0;
  using Sum = __m512;
  struct Weight {
    __m512i low, high;
  };
  struct Weights {
    const uint8_t* data;
    Weight at(int64_t step) const {
      const auto* group = data + step * kGroupWidth;
      return {_mm512_loadu_si512(group), _mm512_loadu_si512(group + 64)};
    }
    Weight first(int64_t step, int64_t) const { return at(step); }
  };
  using Inputs = GroupInputs;

  static Weights weights(const RowOperands& operands, int64_t output) {
    return {static_cast<const uint8_t*>(operands.weight) + output * operands.weight_stride};
  }
  static Inputs inputs(const RowOperands& operands, int64_t row) { return inputs_of(operands, row); }
  static Sum zero() { return _mm512_setzero_ps(); }
  static Sum add(Sum sum, const Weight& weight, const GroupInput& x) {
    return _mm512_fmadd_ps(lane_sums(weight.low, weight.high, x), x.scale, sum);
  }
  static void add_lanes(const Sum (&sums)[kTileOutputs], float* totals) { Floats512::add_lanes(sums, totals); }
};

struct Int4Rows {
  static constexpr int64_t kStep = 1, kTileRows = 4, kPrefetchedBytes = 6 * 1024;
  using Sum = __m512;
  struct Weight {
    __m512i low, high;
    __m512 scale;
  };
  struct Weights {
    const uint8_t* data;
    const uint16_t* scale;
    Weight at(int64_t step) const {
      const __m512i pairs = _mm512_loadu_si512(data + step * (kGroupWidth / 2));
      const __m512i nibble = _mm512_set1_epi8(15);
      return {_mm512_and_si512(pairs, nibble), _mm512_and_si512(_mm512_srli_epi16(pairs, 4), nibble),
              _mm512_set1_ps(widened(scale[step]))};
    }
    Weight first(int64_t step, int64_t) const { return at(step); }
    void prefetch(int64_t step, int64_t bytes) const {
      __builtin_prefetch(data + step * (kGroupWidth / 2) + bytes, 0, 2);
    }
  };
  using Inputs = GroupInputs;

  static Weights weights(const RowOperands& operands, int64_t output) {
    return {static_cast<const uint8_t*>(operands.weight) + output * operands.weight_stride,
            operands.group_scale + output * operands.width};
  }
  static Inputs inputs(const RowOperands& operands, int64_t row) { return inputs_of(operands, row); }
  static Sum zero() { return _mm512_setzero_ps(); }
  static Sum add(Sum sum, const Weight& weight, const GroupInput& x) {
    return _mm512_fmadd_ps(lane_sums(weight.low, weight.high, x), _mm512_mul_ps(x.scale, weight.scale), sum);
  }
  static void add_lanes(const Sum (&sums)[kTileOutputs], float* totals) { Floats512::add_lanes(sums, totals); }
};

}  // namespace

void multiply_int8_vnni(const RowOperands& operands, int64_t first, int64_t last) {
  multiply_rows_by<Int8Rows>(operands, first, last);
}

void multiply_int4_vnni(const RowOperands& operands, int64_t first, int64_t last) {
  multiply_rows_by<Int4Rows>(operands, first, last);
}

}  // namespace vlsi
