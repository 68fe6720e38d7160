// Decoding by the engine, with random weights.
//   inference_bench DIRECTORY THREADS REQUESTS TOKENS none|int8|int4    DIRECTORY has config.json and the tokenizer;
//   weights are not read
// Prints one JSON object: the median seconds of a step, in which every request gets a token; the bytes of weights that
// a step reads; and this machine's read bandwidth, in bytes a second, measured before and after.
#include <ATen/Parallel.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/randn.h>

#include <algorithm>
#include <chrono>
#include <iostream>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/json.h"
#include "bench/read_bandwidth.h"
#include "cli/process.h"
#include "family/family.h"
#include "generate/engine.h"
#include "model/linear.h"
#include "model/quantize.h"

namespace {

using namespace vlsi;

constexpr int64_t kPromptTokens = 8, kSkippedSteps = 4;

std::shared_ptr<Vlm> random_model(const std::filesystem::path& directory) {
  auto model = make_vlm(load_model_config(directory));
  for (auto& [name, parameter] : model->named_parameters()) {
    parameter.set_data(parameter.dim() > 1 ? at::randn(parameter.sizes(), at::kBFloat16).mul_(0.02)
                                           : at::ones(parameter.sizes(), at::kBFloat16));
  }
  return model;
}

double step_bytes(const Vlm& model, Quantization kind) {
  const auto& head = model.head();
  double bytes = kind == Quantization::kNone
                     ? static_cast<double>(head.nbytes())
                     : static_cast<double>(quantized_bytes(head.size(0), head.size(1), Quantization::kInt8));
  for (const auto& [name, parameter] : model.named_parameters()) {
    if (!name.starts_with("decoder.")) continue;
    bytes += kind == Quantization::kNone || parameter.dim() < 2
                 ? static_cast<double>(parameter.nbytes())
                 : static_cast<double>(quantized_bytes(parameter.size(0), parameter.size(1), kind));
  }
  return bytes;
}

/// A prompt of text alone, another one for each request.
Sample prompt(int64_t request) {
  Sample sample;
  sample.positions.resize(3);
  for (int64_t i = 0; i < kPromptTokens; ++i) {
    sample.tokens.push_back(static_cast<int32_t>(1000 + 97 * request + i));
    for (auto& axis : sample.positions) axis.push_back(static_cast<int32_t>(i));
  }
  sample.answer_positions.push_back(kPromptTokens - 1);
  sample.labels.push_back(0);
  return sample;
}

/// Median seconds of the steps after the first few.
double measure(const Vlm& model, const Tokenizer& tokenizer, int64_t num_requests, int64_t num_tokens) {
  Engine engine(model, tokenizer, nullptr);
  for (int64_t i = 0; i < num_requests; ++i) {
    Decoding decoding;
    decoding.max_new_tokens = num_tokens;
    engine.submit({.prompt = prompt(i), .decoding = decoding, .on_reply = [](const Reply&) {}, .on_error = {}});
  }
  std::vector<double> seconds;
  for (bool more = true; more;) {
    const auto started = std::chrono::steady_clock::now();
    more = engine.step();
    seconds.push_back(std::chrono::duration<double>(std::chrono::steady_clock::now() - started).count());
  }
  seconds.erase(seconds.begin(), seconds.begin() + std::min<int64_t>(kSkippedSteps, std::ssize(seconds) - 1));
  const auto middle = seconds.begin() + std::ssize(seconds) / 2;
  std::nth_element(seconds.begin(), middle, seconds.end());
  return *middle;
}

int run(char** argv) {
  at::NoGradGuard no_grad;
  at::set_num_threads(std::stoi(argv[2]));
  const auto kind = parse_or_fail<Quantization>(argv[5], "the kind of weights");
  const auto model = random_model(argv[1]);
  const double bytes = step_bytes(*model, kind);
  if (kind != Quantization::kNone) {
    model->quantize_head(Quantization::kInt8);
    quantize(*model, kind);
  }
  const auto tokenizer = load_processor(argv[1]);
  const double before = read_bandwidth();
  const double seconds = measure(*model, tokenizer->tokenizer(), std::stoll(argv[3]), std::stoll(argv[4]));
  const OrderedJson found{{"seconds", seconds}, {"bytes", bytes}, {"bandwidth", std::max(before, read_bandwidth())}};
  std::cout << found.dump() << "\n";
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 6) {
    std::cerr << "inference_bench: expected a directory, threads, requests, tokens and none, int8 or int4\n";
    return 2;
  }
  return run(argv);
}
