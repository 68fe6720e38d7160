// One token drawn from a distribution that temperature, top-k, top-p and min-p have cut. (V vocabulary)
#pragma once

#include <cstdint>
#include <span>

#include "base/random.h"
#include "generate/decoding.h"

namespace vlsi {

/// Divides logits [V] by the temperature and forbids (-infinity) what top-k, top-p and min-p leave out, in this order,
/// as transformers' logits warpers do. At least one token stays.
void warp_logits(const Decoding& decoding, std::span<float> logits);

/// A token with probability softmax(logits)[token], by one number of `random`.
int32_t draw_token(std::span<const float> logits, Random& random);

}  // namespace vlsi
