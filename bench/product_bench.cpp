// Products of bfloat16 matrices as LibTorch makes them, and as a linear map does, at the shapes of Qwen2-VL 2B's FFN:
// 512 rows, widths 1,536 and 8,960, one thread.
//   product_bench
// Prints one JSON object: for the value, the gradient of the rows and that of the weight, GFLOP/s of `libtorch`, `ours`
// and LibTorch's `float32`, the best of three each, interleaved. The first two differ where the processor lacks
// AVX-512.
#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <ATen/core/grad_mode.h>

#include <algorithm>
#include <chrono>
#include <iostream>

#include "base/json.h"
#include "model/product.h"

namespace {

using namespace vlsi;

constexpr int64_t kRows = 512, kIn = 1536, kOut = 8960;

template <class Call>
double gigaflops(const Call& call) {
  const auto started = std::chrono::steady_clock::now();
  call();
  const auto seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - started).count();
  return 2e-9 * kRows * kIn * kOut / seconds;
}

OrderedJson compare(const at::Tensor& a, const at::Tensor& b) {
  const auto wide_a = a.to(at::kFloat), wide_b = b.to(at::kFloat);
  double libtorch = 0, ours = 0, float32 = 0;
  for (int round = 0; round < 3; ++round) {
    float32 = std::max(float32, gigaflops([&] { at::mm(wide_a, wide_b); }));
    ours = std::max(ours, gigaflops([&] { product(a, b); }));
    libtorch = std::max(libtorch, gigaflops([&] { at::mm(a, b); }));
  }
  return {{"libtorch", libtorch}, {"ours", ours}, {"float32", float32}};
}

}  // namespace

int main() {
  at::NoGradGuard no_grad;
  at::set_num_threads(1);
  const auto x = at::randn({kRows, kIn}).to(at::kBFloat16), weight = at::randn({kOut, kIn}).to(at::kBFloat16),
             gradient = at::randn({kRows, kOut}).to(at::kBFloat16);
  const OrderedJson found{{"value", compare(x, weight.t())},
                          {"gradient of the rows", compare(gradient, weight)},
                          {"gradient of the weight", compare(gradient.t(), x)}};
  std::cout << found.dump(2) << "\n";
}
