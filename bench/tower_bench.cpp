// The forward pass of a family's vision tower and projector, in bfloat16, with random weights.
//   tower_bench DIRECTORY PICTURE THREADS    DIRECTORY has config.json, tokenizer and picture settings; weights are not
//   read
// Prints one JSON object: the median seconds, and the patches and rows of the picture.
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
#include "cli/process.h"
#include "family/family.h"

namespace {

using namespace vlsi;

constexpr int kPasses = 3;

void fill(const Module& module) {
  for (auto& [name, parameter] : module.named_parameters()) {
    parameter.set_data((0.02 * at::randn(parameter.sizes())).to(at::kBFloat16));
  }
}

OrderedJson measure(const std::filesystem::path& directory, const std::filesystem::path& picture) {
  at::NoGradGuard no_grad;
  const auto config = load_model_config(directory);
  const Conversation conversation{"picture", "", {{Role::kUser, {{Content::Kind::kImage, {}, picture}}}}};
  const auto images = load_processor(directory)->encode_prompt(conversation).images;
  const auto& [patches, shape] = images.at(0);
  const auto tower = family_of(config).make_tower(config);
  const auto projector = family_of(config).make_projector(config);
  fill(*tower);
  fill(*projector);

  std::vector<double> seconds;
  int64_t num_rows = 0;
  for (int i = 0; i <= kPasses; ++i) {
    const auto started = std::chrono::steady_clock::now();
    num_rows = projector->project(tower->encode(patches, {&shape, 1}), {&shape, 1}).rows.size(0);
    const std::chrono::duration<double> elapsed = std::chrono::steady_clock::now() - started;
    if (i > 0) seconds.push_back(elapsed.count());  // the first pass allocates
  }
  std::nth_element(seconds.begin(), seconds.begin() + kPasses / 2, seconds.end());
  return {{"seconds", seconds[kPasses / 2]}, {"patches", patches.size(0)}, {"rows", num_rows}};
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 4) {
    std::cerr << "tower_bench: expected a directory, a picture and a number of threads\n";
    return 2;
  }
  try {
    keep_freed_memory();
    at::set_num_threads(std::stoi(argv[3]));
    std::cout << measure(argv[1], argv[2]).dump() << "\n";
  } catch (const Error& error) {
    std::cerr << error.what() << "\n";
    return 2;
  }
}
