// Tensors dealt to ranks in equal parts, and put together again. (R ranks)
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "ranks/ranks.h"
#include "ranks/slices.h"

namespace vlsi {

/// The elements begin .. begin + length - 1 of a tensor, laid flat, are this rank's; rank r's begin at r ceil(n / R),
/// the last ranks' may be fewer or none.
struct RankPart {
  int64_t begin, length;
};
RankPart rank_part(int64_t num_elements, const Ranks& ranks);

/// Fills `tensors`, of which each rank has its own part right, with the others' parts. Contiguous, on one device.
void share_parts(const std::vector<at::Tensor>& tensors, const Ranks& ranks, int64_t at_once = kExchangedAtOnce);

/// The whole of a tensor of which every rank has its `part` [length].
at::Tensor gather_parts(const at::Tensor& part, at::IntArrayRef shape, const Ranks& ranks);

}  // namespace vlsi
