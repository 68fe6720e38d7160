// Models with random weights in memory.
#pragma once

#include <memory>

#include "checkpoint/initialize.h"
#include "family/family.h"

namespace vlsi {

/// A float32 model with the weights of random_weights.
inline std::shared_ptr<Vlm> initialize_vlm(const ModelConfig& config, Initializer initializer, uint64_t seed) {
  auto model = make_vlm(config);
  auto parameters = model->named_parameters();
  const auto weights = random_weights(config, initializer, seed, at::kFloat);
  for (size_t i = 0; i < parameters.size(); ++i) parameters[i].second.set_data(weights[i].make());
  return model;
}

}  // namespace vlsi
