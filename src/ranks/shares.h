// Tensors dealt to ranks in equal shares, and put together again. (R ranks)
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "ranks/ranks.h"
#include "ranks/slices.h"

namespace vlsi {

/// The elements begin .. begin + length - 1 of a tensor, laid flat, are this rank's; rank r's begin at r ceil(n / R),
/// the last ranks' may be fewer or none.
struct Share {
  int64_t begin, length;
};
Share rank_share(int64_t num_elements, const Ranks& ranks);

/// Fills `tensors`, of which each rank has its own share right, with the others' shares. Contiguous, on one device.
void exchange_shares(const std::vector<at::Tensor>& tensors, const Ranks& ranks, int64_t at_once = kExchangedAtOnce);

/// The whole of a tensor of which every rank has its `share` [length].
at::Tensor gather_shares(const at::Tensor& share, at::IntArrayRef shape, const Ranks& ranks);

}  // namespace vlsi
