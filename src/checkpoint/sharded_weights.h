// A frozen model that several ranks hold together: each has its share of every layer's weights, and gets the others'
// ahead of use.
#pragma once

#include <memory>

#include "model/weight_stream.h"
#include "ranks/ranks.h"

namespace vlsi {

/// Keeps this rank's share of each part of `parts`, in the dtype and on the device of `options`; what is stored is not
/// read again. A part is gathered when it is fetched, so all ranks fetch the same parts in the same order. `ranks`
/// outlives it.
std::unique_ptr<WeightSource> sharded_weights(const StoredParts& parts, at::TensorOptions options, const Ranks& ranks);

}  // namespace vlsi
