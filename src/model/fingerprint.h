// Short fingerprints of weights, to tell whether two things were made from the same model.
#pragma once

#include <string>

#include "base/safetensors.h"

namespace vlsi {

/// 16 hexadecimal digits: XXH3 over names, shapes, dtypes and bytes, in the given order.
std::string fingerprint(const NamedTensors& tensors);

}  // namespace vlsi
