#include "model/cpu/cpu_kernels.h"

#include <vector>

#include "model/cpu/bf16_avx512.h"

namespace vlsi {
namespace {

std::vector<CpuKernels> kernels_of_this_processor() {
  std::vector<CpuKernels> found{kPlainKernels};
  found.push_back({.name = "avx2",
                   .float32 = multiply_float32_avx2,
                   .bfloat16 = multiply_bfloat16_avx2,
                   .bfloat16_reads_bfloat16 = false,
                   .int8 = multiply_int8_avx2,
                   .int4 = multiply_int4_avx2,
                   .attend_float32 = attend_float32_avx2,
                   .attend_bfloat16 = attend_bfloat16_avx2});
  // Each of the others is the one before with some kernels replaced.
  const auto replace = [&](std::string_view name, auto change) {
    auto next = found.back();
    next.name = name;
    change(next);
    found.push_back(next);
  };
  if (!has_avx512()) return found;
  replace("avx512", [](CpuKernels& kernels) {
    kernels.float32 = multiply_float32_avx512;
    kernels.bfloat16 = multiply_bfloat16_avx512;
    kernels.attend_float32 = attend_float32_avx512;
    kernels.attend_bfloat16 = attend_bfloat16_avx512;
  });
  if (__builtin_cpu_supports("avx512vnni")) {
    replace("avx512-vnni", [](CpuKernels& kernels) {
      kernels.int8 = multiply_int8_vnni;
      kernels.int4 = multiply_int4_vnni;
    });
  }
  if (has_avx512_bf16()) {
    replace("avx512-bf16", [](CpuKernels& kernels) {
      kernels.bfloat16 = multiply_bfloat16_avx512bf16;
      kernels.bfloat16_reads_bfloat16 = true;
    });
  }
  return found;
}

}  // namespace

bool has_bfloat16_matrix_products() { return has_avx512(); }

std::span<const CpuKernels> available_kernels() {
  static const auto kernels = kernels_of_this_processor();
  return kernels;
}

}  // namespace vlsi
