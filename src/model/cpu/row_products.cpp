#include "model/cpu/row_products.h"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/empty.h>

#include <algorithm>
#include <cstring>

#include "base/parallel.h"

namespace vlsi {
namespace {

constexpr int64_t kThreadBytes = 64 * 1024;  // of a weight, that are worth another thread

/// Rows of x, contiguous in `dtype`.
at::Tensor rows_in(const at::Tensor& x, at::ScalarType dtype) {
  return x.reshape({-1, x.size(-1)}).to(dtype).contiguous();
}

void multiply_in_parallel(RowKernel kernel, const RowOperands& operands, int64_t num_outputs) {
  const int64_t block_bytes = 16 * operands.weight_stride;
  const int64_t num_blocks = (num_outputs + 15) / 16;  // whole blocks, so that threads share no line of y
  parallel_for(0, num_blocks, std::max<int64_t>(1, kThreadBytes / block_bytes),
               [&](int64_t begin, int64_t end) { kernel(operands, begin * 16, std::min(end * 16, num_outputs)); });
}

}  // namespace

bool has_row_products(const at::Tensor& x, const at::Tensor& weight) {
  const auto dtype = weight.scalar_type();
  const bool wants_gradient = at::GradMode::is_enabled() && (x.requires_grad() || weight.requires_grad());
  return x.is_cpu() && weight.is_cpu() && x.scalar_type() == dtype && (dtype == at::kFloat || dtype == at::kBFloat16) &&
         x.numel() <= kMaxProductRows * x.size(-1) && weight.stride(1) == 1 && !wants_gradient;
}

at::Tensor row_products(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias, at::ScalarType dtype) {
  return row_products(x, weight, bias, dtype, best_kernels());
}

at::Tensor row_products(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias, at::ScalarType dtype,
                        const CpuKernels& kernels) {
  TORCH_CHECK(x.dim() == 2 && x.size(1) == weight.size(1), "rows of ", x.sizes(), " times a weight of ",
              weight.sizes());
  const bool is_float32 = weight.scalar_type() == at::kFloat;
  const auto rows = rows_in(x, is_float32 || !kernels.bfloat16_reads_bfloat16 ? at::kFloat : at::kBFloat16);
  const auto y = at::empty({x.size(0), weight.size(0)}, x.options().dtype(dtype));
  RowOperands operands{};
  operands.x = rows.const_data_ptr();
  operands.x_stride = rows.size(1);
  operands.num_rows = rows.size(0);
  operands.weight = weight.const_data_ptr();
  operands.weight_stride = weight.stride(0) * weight.element_size();
  operands.width = weight.size(1);
  if (bias.defined()) operands.bias = bias.const_data_ptr();
  operands.bias_is_bfloat16 = bias.defined() && bias.scalar_type() == at::kBFloat16;
  operands.y = y.mutable_data_ptr();
  operands.y_stride = y.size(1);
  operands.y_is_bfloat16 = dtype == at::kBFloat16;
  multiply_in_parallel(is_float32 ? kernels.float32 : kernels.bfloat16, operands, weight.size(0));
  return y;
}

}  // namespace vlsi
