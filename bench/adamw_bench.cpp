// One AdamW step with gradient clipping, gradients dropped afterwards: torch::optim::AdamW, or the program's own.
//   adamw_bench torch|ours default|kept    the optimizer; freed memory as LibTorch has it by default, or kept as the
//   program keeps it
// Prints one JSON object: the median seconds of each case.
#include <ATen/Parallel.h>
#include <torch/nn/utils/clip_grad.h>
#include <torch/optim/adamw.h>

#include <algorithm>
#include <chrono>
#include <functional>
#include <iostream>
#include <string>
#include <vector>

#include "base/json.h"
#include "cli/process.h"
#include "train/optimizer.h"

namespace {

using namespace vlsi;
using Shapes = std::vector<std::vector<int64_t>>;

constexpr int kSteps = 9;

/// Adapters of rank 64 on every linear map of Qwen2-VL 2B's decoder.
Shapes lora_shapes() {
  Shapes shapes;
  const int64_t width = 1536, key_width = 256, inner = 8960, rank = 64;
  for (int layer = 0; layer < 28; ++layer) {
    for (const auto& [in, out] :
         {std::pair(width, width), std::pair(width, key_width), std::pair(width, key_width), std::pair(width, width),
          std::pair(width, inner), std::pair(width, inner), std::pair(inner, width)}) {
      shapes.push_back({rank, in});
      shapes.push_back({out, rank});
    }
  }
  return shapes;
}

/// The median seconds of `step`, which takes over the gradients that the parameters are given before it.
double median_seconds(std::vector<at::Tensor>& parameters, const std::function<void()>& step) {
  std::vector<double> seconds;
  for (int i = 0; i <= kSteps; ++i) {
    for (auto& parameter : parameters)
      parameter.mutable_grad() = torch::full_like(parameter, 0.01, torch::requires_grad(false));
    const auto started = std::chrono::steady_clock::now();
    step();
    if (i > 0)
      seconds.push_back(
          std::chrono::duration<double>(std::chrono::steady_clock::now() - started).count());  // 0 allocates
  }
  std::nth_element(seconds.begin(), seconds.begin() + kSteps / 2, seconds.end());
  return seconds[kSteps / 2];
}

double seconds_of(bool ours, const Shapes& shapes) {
  std::vector<at::Tensor> parameters;
  for (const auto& shape : shapes) parameters.push_back(torch::randn(shape).requires_grad_());
  if (ours) {
    OptimizerConfig config;
    config.clip_norm = 1;
    config.weight_decay = 0.01;
    NamedTensors named;
    for (const auto& parameter : parameters) named.emplace_back(std::to_string(named.size()), parameter);
    AdamW adamw(named, config);
    return median_seconds(parameters, [&] {
      adamw.collect_gradients();
      adamw.step(1e-4);
    });
  }
  torch::optim::AdamW adamw(parameters,
                            torch::optim::AdamWOptions(1e-4).betas({0.9, 0.999}).eps(1e-8).weight_decay(0.01));
  return median_seconds(parameters, [&] {
    torch::nn::utils::clip_grad_norm_(parameters, 1.0);
    adamw.step();
    adamw.zero_grad();
  });
}

}  // namespace

int main(int argc, char** argv) {
  const std::string optimizer = argc == 3 ? argv[1] : "", memory = argc == 3 ? argv[2] : "";
  if ((optimizer != "torch" && optimizer != "ours") || (memory != "default" && memory != "kept")) {
    std::cerr << "adamw_bench: expected torch|ours and default|kept\n";
    return 2;
  }
  if (memory == "kept") keep_freed_memory();
  const bool ours = optimizer == "ours";
  std::cout << OrderedJson{{"lora_64_on_2b", seconds_of(ours, lora_shapes())},
                           {"one_tensor_of_1e8", seconds_of(ours, {{100'000, 1000}})}}
                   .dump()
            << "\n";
}
