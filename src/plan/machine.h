// What this machine can do, measured in about a second.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <filesystem>
#include <vector>

namespace vlsi {

struct MachineRates {
  double model_flops_per_second = 0;  // of products in the run's dtype
  double float32_flops_per_second = 0;
  double read_bytes_per_second =
      0;  // of the teacher's files, from the system's page cache where they are in it; 0 without files
};

/// Multiplications and additions a second of [rows, width] x [width, inner_width] in `dtype`, with 512 rows or more:
/// the best of the products that fit into `seconds`, at least two.
double measure_products(at::ScalarType dtype, int64_t width, int64_t inner_width, double seconds,
                        at::Device device = at::kCPU);

/// Bytes a second of reading pieces of 8 MiB that are spread over `files`, for `seconds` at most. 0 for no bytes; Error
/// for a file that cannot be read.
double measure_reading(const std::vector<std::filesystem::path>& files, double seconds);

}  // namespace vlsi
