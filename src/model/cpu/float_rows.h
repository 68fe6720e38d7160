// Products of rows in float32, with weights in float32 or in bfloat16 that are widened in registers. Private to each
// file that includes it.
#pragma once

#include <cstdint>

#include "model/cpu/row_tiles.h"

namespace vlsi {
namespace {

/// For multiply_rows_by, with the registers of `Floats`.
template <class Floats, class Number, int64_t rows>
struct FloatRows {
  static constexpr int64_t kStep = Floats::kLanes, kTileRows = rows, kPrefetchedBytes = 0;
  using Sum = typename Floats::Vector;
  using Weight = typename Floats::Vector;

  template <class Stored>
  struct Row {
    const Stored* data;
    Sum at(int64_t step) const { return Floats::load(data + step * kStep); }
    Sum first(int64_t step, int64_t count) const { return Floats::load_first(data + step * kStep, count); }
  };
  using Weights = Row<Number>;
  using Inputs = Row<float>;

  static Weights weights(const RowOperands& operands, int64_t output) {
    const auto* row = static_cast<const char*>(operands.weight) + output * operands.weight_stride;
    return {reinterpret_cast<const Number*>(row)};
  }
  static Inputs inputs(const RowOperands& operands, int64_t row) {
    return {static_cast<const float*>(operands.x) + row * operands.x_stride};
  }
  static Sum zero() { return Floats::zero(); }
  static Sum add(Sum sum, Weight weight, Sum input) { return Floats::multiply_add(weight, input, sum); }
  static void add_lanes(const Sum (&sums)[kTileOutputs], float* totals) { Floats::add_lanes(sums, totals); }
};

}  // namespace
}  // namespace vlsi
