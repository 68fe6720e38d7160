// Products of a few rows with a weight, tile by tile, for any instruction set. Included by the files that are compiled
// for one: all of it is private to each, or the linker could give a processor instructions that it lacks.
#pragma once

#include <cstdint>

#include "model/cpu/cpu_kernels.h"

namespace vlsi {
namespace {

constexpr int64_t kTileOutputs = 4;
constexpr int64_t kSharedRows = 16;                 // rows that share one reading of a weight
constexpr int64_t kBlockPrefetchBytes = 48 * 1024;  // ahead of what is read: in the second-level cache when it is

inline float widened(uint16_t bits) {
  const uint32_t upper = static_cast<uint32_t>(bits) << 16;
  float number;
  __builtin_memcpy(&number, &upper, sizeof(number));
  return number;
}

inline uint16_t rounded(float number) {
  uint32_t bits;
  __builtin_memcpy(&bits, &number, sizeof(bits));
  if (number != number) return 0x7fc0;
  return static_cast<uint16_t>((bits + 0x7fff + ((bits >> 16) & 1)) >> 16);
}

inline float bias_of(const RowOperands& operands, int64_t output) {
  return operands.bias_is_bfloat16 ? widened(static_cast<const uint16_t*>(operands.bias)[output])
                                   : static_cast<const float*>(operands.bias)[output];
}

/// y [row, output ... output + count - 1] from the sums of the products.
inline void store_outputs(const RowOperands& operands, int64_t row, int64_t output, int64_t count, float* sums) {
  if (operands.channel_scale != nullptr) {
    for (int64_t i = 0; i < count; ++i) sums[i] *= operands.channel_scale[output + i];
  }
  if (operands.bias != nullptr) {
    for (int64_t i = 0; i < count; ++i) sums[i] += bias_of(operands, output + i);
  }
  const int64_t to = row * operands.y_stride + output;
  if (operands.y_is_bfloat16) {
    for (int64_t i = 0; i < count; ++i) static_cast<uint16_t*>(operands.y)[to + i] = rounded(sums[i]);
  } else {
    for (int64_t i = 0; i < count; ++i) static_cast<float*>(operands.y)[to + i] = sums[i];
  }
}

/// Brings the weight near, a little with every step of a tile, in the order in which it lies in memory: processors read
/// ahead by themselves only where one stream is read from its beginning to its end.
struct Prefetch {
  const char* from = nullptr;
  int64_t step_bytes = 0;
  inline __attribute__((always_inline)) void step(int64_t index) const {
    const char* line = from + index * step_bytes;
    for (int64_t i = 0; i < step_bytes; i += 64) __builtin_prefetch(line + i, 0, 2);
  }
};

/// Rows row ... row + R - 1 times output channels output ... output + count - 1. Every sum is made step by step in its
/// own register, whatever is beside it.
template <class Products, int R>
void multiply_tile(const RowOperands& operands, int64_t output, int64_t count, int64_t row, const Prefetch& prefetch) {
  typename Products::Weights weights[kTileOutputs];
  for (int64_t i = 0; i < kTileOutputs; ++i) {
    weights[i] = Products::weights(operands, output + (i < count ? i : count - 1));
  }
  typename Products::Inputs inputs[R];
  for (int64_t r = 0; r < R; ++r) inputs[r] = Products::inputs(operands, row + r);

  typename Products::Sum sums[R][kTileOutputs];
  for (auto& of_row : sums) {
    for (auto& sum : of_row) sum = Products::zero();
  }
  const int64_t num_steps = operands.width / Products::kStep, rest = operands.width % Products::kStep;
  for (int64_t k = 0; k < num_steps; ++k) {
    prefetch.step(k);
    typename Products::Weight w[kTileOutputs];
    for (int64_t i = 0; i < kTileOutputs; ++i) w[i] = weights[i].at(k);
    for (int64_t r = 0; r < R; ++r) {
      const auto x = inputs[r].at(k);
      for (int64_t i = 0; i < kTileOutputs; ++i) sums[r][i] = Products::add(sums[r][i], w[i], x);
    }
  }
  if (rest > 0) {
    for (int64_t r = 0; r < R; ++r) {
      const auto x = inputs[r].first(num_steps, rest);
      for (int64_t i = 0; i < kTileOutputs; ++i) {
        sums[r][i] = Products::add(sums[r][i], weights[i].first(num_steps, rest), x);
      }
    }
  }
  for (int64_t r = 0; r < R; ++r) {
    float totals[kTileOutputs];
    Products::add_lanes(sums[r], totals);
    if (count == kTileOutputs) {
      store_outputs(operands, row + r, output, kTileOutputs, totals);
    } else {
      store_outputs(operands, row + r, output, count, totals);
    }
  }
}

template <class Products>
void multiply_few_rows(const RowOperands& operands, int64_t output, int64_t count, int64_t row, int64_t num_rows,
                       const Prefetch& prefetch) {
  switch (num_rows) {
    case 1: return multiply_tile<Products, 1>(operands, output, count, row, prefetch);
    case 2: return multiply_tile<Products, 2>(operands, output, count, row, prefetch);
    default:
      if constexpr (Products::kTileRows > 2) {
        if (num_rows == 3) return multiply_tile<Products, 3>(operands, output, count, row, prefetch);
        return multiply_tile<Products, 4>(operands, output, count, row, prefetch);
      }
  }
}

/// One row times output channels first ... first + 4 · distance - 1, four at a time that are `distance` apart: memory
/// is read in four streams, each in its order, which processors read ahead by themselves, and four sums hide the
/// latency of an addition.
template <class Products>
void multiply_one_row(const RowOperands& operands, int64_t row, int64_t first, int64_t distance) {
  const int64_t num_steps = operands.width / Products::kStep, rest = operands.width % Products::kStep;
  const auto input = Products::inputs(operands, row);
  for (int64_t output = first; output < first + distance; ++output) {
    typename Products::Weights weights[kTileOutputs];
    typename Products::Sum sums[kTileOutputs];
    for (int64_t i = 0; i < kTileOutputs; ++i) {
      weights[i] = Products::weights(operands, output + i * distance);
      sums[i] = Products::zero();
    }
    for (int64_t k = 0; k < num_steps; ++k) {
      const auto x = input.at(k);
      for (int64_t i = 0; i < kTileOutputs; ++i) {
        if constexpr (Products::kPrefetchedBytes > 0) weights[i].prefetch(k, Products::kPrefetchedBytes);
        sums[i] = Products::add(sums[i], weights[i].at(k), x);
      }
    }
    if (rest > 0) {
      const auto x = input.first(num_steps, rest);
      for (int64_t i = 0; i < kTileOutputs; ++i) {
        sums[i] = Products::add(sums[i], weights[i].first(num_steps, rest), x);
      }
    }
    float totals[kTileOutputs];
    Products::add_lanes(sums, totals);
    for (int64_t i = 0; i < kTileOutputs; ++i) store_outputs(operands, row, output + i * distance, 1, totals + i);
  }
}

/// Rows row ... end - 1 times output channels first ... last - 1, which are read once.
template <class Products>
void multiply_shared_rows(const RowOperands& operands, int64_t row, int64_t end, int64_t first, int64_t last) {
  const int64_t num_tiles = (end - row + Products::kTileRows - 1) / Products::kTileRows;
  const int64_t num_steps = operands.width / Products::kStep;
  for (int64_t output = first; output < last; output += kTileOutputs) {
    const int64_t count = last - output < kTileOutputs ? last - output : kTileOutputs;
    const char* const block = static_cast<const char*>(operands.weight) + output * operands.weight_stride;
    const int64_t share = kTileOutputs * operands.weight_stride / num_tiles;  // of the tiles of this block
    for (int64_t tile = 0; tile < num_tiles; ++tile) {
      const int64_t from = row + tile * Products::kTileRows;
      const Prefetch prefetch{block + kBlockPrefetchBytes + tile * share, num_steps > 0 ? share / num_steps : 0};
      multiply_few_rows<Products>(operands, output, count, from,
                                  end - from < Products::kTileRows ? end - from : Products::kTileRows, prefetch);
    }
  }
}

/// A RowKernel. Products gives: Weights and Inputs, a row of each operand with at(step) and first(step, count), the
/// kStep numbers of a step or the first few with zeros behind; add(sum, weight, input); add_lanes(sums, totals);
/// kPrefetchedBytes, how far ahead of one row's products a weight is brought near, or 0.
template <class Products>
void multiply_rows_by(const RowOperands& operands, int64_t first, int64_t last) {
  for (int64_t row = 0; row < operands.num_rows; row += kSharedRows) {
    const int64_t end = row + kSharedRows < operands.num_rows ? row + kSharedRows : operands.num_rows;
    int64_t begin = first;
    if (end - row == 1) {
      const int64_t distance = (last - first) / kTileOutputs;
      multiply_one_row<Products>(operands, row, first, distance);
      begin += distance * kTileOutputs;
    }
    multiply_shared_rows<Products>(operands, row, end, begin, last);
  }
}

}  // namespace
}  // namespace vlsi
