#include "model/product.h"

#include <ATen/ATen.h>

#include <algorithm>

#include "model/cpu/cpu_kernels.h"

namespace vlsi {
namespace {

constexpr int64_t kWidenedValues = int64_t{1} << 21;  // of a part of a factor and of the product: 8 MiB

}  // namespace

bool multiplies_in_float32(at::ScalarType dtype, at::Device device) {
  static const bool is_slow = !has_bfloat16_matrix_products();
  return is_slow && device.is_cpu() && dtype == at::kBFloat16;
}

double widened_values(double num_rows, double in, double out) {
  // The rows or their gradient, whichever are wider, or these turned; the other factor, and the product.
  return num_rows * std::max(in, out) + std::min<double>(kWidenedValues, in * out + num_rows * std::min(in, out));
}

at::Tensor product(const at::Tensor& a, const at::Tensor& b) {
  if (!multiplies_in_float32(a)) return at::mm(a, b);
  auto sum = at::zeros({a.size(0), b.size(1)}, a.options());
  add_product_in_float32(sum, a, b, 1);
  return sum;
}

void add_product(at::Tensor& sum, const at::Tensor& a, const at::Tensor& b, double scale) {
  if (multiplies_in_float32(a)) {
    add_product_in_float32(sum, a, b, scale);
  } else {
    sum.addmm_(a, b, 1, scale);
  }
}

at::Tensor affine(const at::Tensor& x, const at::Tensor& weight, const std::optional<at::Tensor>& bias) {
  if (!multiplies_in_float32(x)) return at::linear(x, weight, bias);
  const std::vector<int64_t> sizes{x.size(0), weight.size(0)};
  auto y = bias && bias->defined() ? bias->expand(sizes).clone() : at::zeros(sizes, x.options());
  add_product_in_float32(y, x, weight.t(), 1);
  return y;
}

void add_product_in_float32(at::Tensor& sum, const at::Tensor& a, const at::Tensor& b, double scale) {
  const auto wide_a = a.to(at::kFloat);
  const int64_t num_columns = b.size(1);
  const int64_t columns = std::max<int64_t>(64, kWidenedValues / std::max<int64_t>(1, a.size(0) + b.size(0)));
  for (int64_t first = 0; first < num_columns; first += columns) {
    const int64_t count = std::min(columns, num_columns - first);
    auto part = sum.narrow(1, first, count);
    auto wide = part.to(at::kFloat, /*non_blocking=*/false, /*copy=*/true);
    part.copy_(wide.addmm_(wide_a, b.narrow(1, first, count).to(at::kFloat), 1, scale));
  }
}

}  // namespace vlsi
