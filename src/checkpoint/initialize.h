// Models with random weights.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "base/safetensors_writer.h"
#include "model/vlm.h"

namespace vlsi {

/// How random weights are drawn; norms are one and biases zero in both.
enum class Initializer {
  kFanIn,   // std 1/sqrt(inputs) for linear maps, 1/sqrt(width) for single rows, 0.05 for the token embedding: for
            // training from scratch
  kNormal,  // std `initializer_range` everywhere, as transformers
};

/// Every weight of a random model under its own name, rounded to `dtype` once. Each is drawn from a seed of its own,
/// when its turn comes, on all threads: a function of `seed` and its written name alone.
std::vector<TensorSource> random_weights(const ModelConfig& config, Initializer initializer, uint64_t seed,
                                         at::ScalarType dtype);

/// A float32 model with these weights.
std::shared_ptr<Vlm> initialize_vlm(const ModelConfig& config, Initializer initializer, uint64_t seed);

/// Takes the vision tower of `config` without its merger from the model in `directory`. Error when the towers differ in
/// shape or settings.
void take_vision_tower(std::vector<TensorSource>& weights, const ModelConfig& config,
                       const std::filesystem::path& directory);

}  // namespace vlsi
