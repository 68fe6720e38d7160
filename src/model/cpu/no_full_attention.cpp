// Stands for full_attention.cpp, bf16_avx512.cpp and cpu_kernels.cpp on processors that are not x86-64.
#include <c10/util/Exception.h>

#include "model/cpu/bf16_avx512.h"
#include "model/cpu/cpu_kernels.h"
#include "model/cpu/full_attention.h"

namespace vlsi {

bool has_avx512_bf16() { return false; }
bool has_amx_bf16() { return false; }

bool has_full_attention(const at::Tensor&, const at::Tensor&, const at::Tensor&) { return false; }

at::Tensor full_attention(const at::Tensor&, const at::Tensor&, const at::Tensor&, const std::vector<SequenceRun>&) {
  TORCH_CHECK(false, "this processor has no attention of its own");
}

bool has_bfloat16_matrix_products() { return true; }

std::span<const CpuKernels> available_kernels() {
  static const CpuKernels kernels[] = {kPlainKernels};
  return kernels;
}

}  // namespace vlsi
