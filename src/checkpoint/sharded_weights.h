// A frozen model that several processes hold together: each has one part of every layer's weights, and gets the others'
// ahead of use.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>

#include "model/weight_stream.h"

namespace vlsi {

/// The processes that hold a model together, and which of them this one is.
struct WeightSharing {
  int64_t rank = 0, size = 1;
  /// whole[r] becomes process r's `part`, in each of them. part [n], whole [size, n], contiguous.
  std::function<void(const at::Tensor& part, const at::Tensor& whole)> gather;
};

/// Keeps 1/size of each part of `parts`, in the dtype and on the device of `options`; what is stored is not read again.
/// A part is gathered when it is fetched, so all processes fetch the same parts in the same order.
std::unique_ptr<WeightSource> sharded_weights(const StoredParts& parts, at::TensorOptions options,
                                              WeightSharing sharing);

}  // namespace vlsi
