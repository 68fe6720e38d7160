// Whether weights are numbers: one that is not makes all that a model says meaningless.
#pragma once

#include <ATen/core/Tensor.h>

#include <string>

#include "model/vlm.h"

namespace vlsi {

/// Error naming `action` and the first of the model's weights (adapters too) that holds a NaN or an infinity, by the
/// name that the family's files have for it. Every weight is read once, in parallel, without a copy.
void check_finite_weights(const Vlm& model, const std::string& action);

/// The same of one tensor called `name`.
void check_finite_weight(const at::Tensor& weight, const std::string& name, const std::string& action);

}  // namespace vlsi
