// One AdamW step with gradient clipping, gradients dropped afterwards: torch::optim::AdamW against the program's own, interleaved,
// in a process that keeps freed memory as the program does. Prints one JSON object.
#include <ATen/Parallel.h>
#include <torch/nn/utils/clip_grad.h>
#include <torch/optim/adamw.h>

#include <algorithm>
#include <chrono>
#include <functional>
#include <iostream>

#include "base/json.h"
#include "cli/process.h"
#include "train/optimizer.h"

namespace {

using namespace vlsi;

constexpr int kRounds = 9;

double seconds_of(const std::function<void()>& action) {
  const auto started = std::chrono::steady_clock::now();
  action();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - started).count();
}

double median(std::vector<double> values) {
  std::nth_element(values.begin(), values.begin() + values.size() / 2, values.end());
  return values[values.size() / 2];
}

/// Adapters of rank 64 on every linear map of Qwen2-VL 2B's decoder.
std::vector<std::vector<int64_t>> lora_shapes() {
  std::vector<std::vector<int64_t>> shapes;
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

/// Two copies of the same parameters, one for each optimizer.
OrderedJson compare(const std::vector<std::vector<int64_t>>& shapes) {
  std::vector<at::Tensor> theirs;
  NamedTensors ours;
  int64_t num_values = 0;
  for (const auto& shape : shapes) {
    theirs.push_back(torch::randn(shape).requires_grad_());
    ours.emplace_back(std::to_string(ours.size()), theirs.back().detach().clone().requires_grad_());
    num_values += theirs.back().numel();
  }
  OptimizerConfig config;
  config.clip_norm = 1;
  config.weight_decay = 0.01;
  torch::optim::AdamW torch_adamw(theirs,
                                  torch::optim::AdamWOptions(1e-4).betas({0.9, 0.999}).eps(1e-8).weight_decay(0.01));
  AdamW adamw(ours, config);
  const auto set_gradients = [&] {
    for (auto& parameter : theirs)
      parameter.mutable_grad() = torch::full_like(parameter, 0.01, torch::requires_grad(false));
    for (auto& item : ours)
      item.second.mutable_grad() = torch::full_like(item.second, 0.01, torch::requires_grad(false));
  };
  std::vector<double> torch_seconds, our_seconds;
  for (int round = 0; round <= kRounds; ++round) {
    set_gradients();
    const double torch_time = seconds_of([&] {
      torch::nn::utils::clip_grad_norm_(theirs, 1.0);
      torch_adamw.step();
      torch_adamw.zero_grad();
    });
    const double our_time = seconds_of([&] {
      adamw.collect_gradients();
      adamw.step(1e-4);
    });
    if (round == 0) continue;  // allocates the moments
    torch_seconds.push_back(torch_time);
    our_seconds.push_back(our_time);
  }
  double difference = 0;
  for (size_t i = 0; i < theirs.size(); ++i)
    difference = std::max(difference, (theirs[i] - ours[i].second).abs().max().item<double>());
  const double torch_time = median(torch_seconds), our_time = median(our_seconds);
  return {{"tensors", shapes.size()},
          {"values", num_values},
          {"torch_seconds", torch_time},
          {"our_seconds", our_time},
          {"torch_to_ours", torch_time / our_time},
          {"largest_difference", difference}};
}

}  // namespace

int main() {
  keep_freed_memory();
  const OrderedJson lora = compare(lora_shapes()), large = compare({{100'000, 1000}});
  std::cout << OrderedJson{{"threads", at::get_num_threads()},
                           {"lora_64_on_2b", lora},
                           {"one_tensor_of_1e8", large},
                           {"torch_adamw_to_ours",
                            std::min(lora["torch_to_ours"].get<double>(), large["torch_to_ours"].get<double>())}}
                   .dump(2)
            << "\n";
}
