#include "checkpoint/initialize.h"

#include <ATen/ATen.h>
#include <ATen/CPUGeneratorImpl.h>
#include <ATen/core/grad_mode.h>

#include <algorithm>
#include <cmath>

#include "base/parallel.h"
#include "base/random.h"
#include "family/family.h"
#include "model/parts.h"

namespace vlsi {
namespace {

/// Normal values of mean 0. A fixed cut into pieces with seeds of their own makes them a function of `seed`, not of the
/// threads.
at::Tensor normal_values(const std::vector<int64_t>& shape, double deviation, uint64_t seed, at::ScalarType dtype) {
  constexpr int64_t kPiece = int64_t{1} << 18;
  const auto values = at::empty(shape, dtype);
  const auto flat = values.view(-1);
  parallel_for(0, (flat.numel() + kPiece - 1) / kPiece, 1, [&](int64_t first, int64_t last) {
    at::NoGradGuard no_grad;
    const auto buffer = at::empty({kPiece}, at::kFloat);
    for (int64_t piece = first; piece < last; ++piece) {
      const int64_t begin = piece * kPiece, count = std::min(kPiece, flat.numel() - begin);
      auto generator = at::detail::createCPUGenerator(derive_seed(seed, std::to_string(piece)));
      flat.narrow(0, begin, count).copy_(buffer.narrow(0, 0, count).normal_(0, deviation, generator));
    }
  });
  return values;
}

double deviation_of(const std::string& name, const std::vector<int64_t>& shape, const ModelConfig& config,
                    Initializer initializer) {
  if (initializer == Initializer::kNormal) return config.initializer_range;
  if (part_of(name) == "embeddings") return 0.05;
  if (shape.size() == 1) return 1 / std::sqrt(static_cast<double>(shape.front()));
  double fan_in = 1;
  for (size_t i = 1; i < shape.size(); ++i) fan_in *= static_cast<double>(shape[i]);
  return 1 / std::sqrt(fan_in);
}

}  // namespace

std::vector<TensorSource> random_weights(const ModelConfig& config, Initializer initializer, uint64_t seed,
                                         at::ScalarType dtype) {
  std::vector<TensorSource> weights;
  const auto& family = family_of(config);
  for (const auto& [name, parameter] : make_vlm(config)->named_parameters()) {
    const auto shape = parameter.sizes().vec();
    const auto own_seed = derive_seed(seed, family.written_name(name));
    const auto make = [=]() -> at::Tensor {
      if (name.ends_with(".bias")) return at::zeros(shape, dtype);
      if (shape.size() == 1 && name.ends_with(".weight")) return at::ones(shape, dtype);
      return normal_values(shape, deviation_of(name, shape, config, initializer), own_seed, dtype);
    };
    weights.push_back({name, dtype, shape, make});
  }
  return weights;
}

}  // namespace vlsi
