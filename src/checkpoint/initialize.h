// Models with random weights.
#pragma once

#include <cstdint>
#include <vector>

#include "base/safetensors_writer.h"
#include "base/words.h"
#include "model/vlm.h"

namespace vlsi {

/// How random weights are drawn; norms are one and biases zero in both.
enum class Initializer {
  kFanIn,   // std 1/sqrt(inputs) for linear maps, 1/sqrt(width) for single rows, 0.05 for the token embedding: for
            // training from scratch
  kNormal,  // std `initializer_range` everywhere, as transformers
};

template <>
struct EnumNames<Initializer> {
  static constexpr EnumName<Initializer> all[]{{"fan-in", Initializer::kFanIn, "std 1/sqrt(inputs)"},
                                               {"normal", Initializer::kNormal, "std initializer_range"}};
};

/// Every weight of a random model under its own name, rounded to `dtype` once. Each is drawn from a seed of its own,
/// when its turn comes, on all threads: a function of `seed` and its written name alone.
std::vector<TensorSource> random_weights(const ModelConfig& config, Initializer initializer, uint64_t seed,
                                         at::ScalarType dtype);

}  // namespace vlsi
