// How fast this machine reads memory.
#pragma once

#include <ATen/core/Tensor.h>
#include <ATen/ops/ones.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstring>

#include "base/parallel.h"

namespace vlsi {

/// Bytes a second of plain reads of an array of 1 GiB by all threads, each from its first byte to its last: the best of
/// several.
inline double read_bandwidth() {
  constexpr int64_t kWords = int64_t{1} << 27, kRounds = 9;
  const auto array = at::ones({kWords}, at::kLong);
  const auto* words = array.const_data_ptr<int64_t>();
  double best = 0;
  for (int64_t round = 0; round < kRounds; ++round) {
    const auto started = std::chrono::steady_clock::now();
    parallel_for(0, kWords / 64, 1, [&](int64_t first, int64_t last) {
      int64_t sums[64] = {};
      for (int64_t i = first * 64; i < last * 64; i += 64) {
#pragma omp simd
        for (int64_t j = 0; j < 64; ++j) sums[j] += words[i + j];
      }
      volatile int64_t kept = 0;  // what is read must be used
      for (const int64_t sum : sums) kept = kept + sum;
    });
    const std::chrono::duration<double> elapsed = std::chrono::steady_clock::now() - started;
    best = std::max(best, static_cast<double>(array.nbytes()) / elapsed.count());
  }
  return best;
}

}  // namespace vlsi
