#include "ranks/shares.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <deque>
#include <memory>

namespace vlsi {
namespace {

/// copy(elements of the tensor, place in the row) for each slice of rank `rank`, whose row [C] of an exchange is `row`.
template <class Copy>
void for_slices(const std::vector<at::Tensor>& tensors, const Slices& slices, int64_t rank, int64_t num_ranks,
                const at::Tensor& row, const Copy& copy) {
  int64_t column = 0;
  for (const auto& slice : slices) {
    const auto share = elements(tensors[slice.tensor].view(-1), slice, rank, num_ranks);
    copy(share, row.narrow(0, column, share.numel()));
    column += slice.length;
  }
}

}  // namespace

Share rank_share(int64_t num_elements, const Ranks& ranks) {
  const int64_t stride = (num_elements + ranks.size() - 1) / ranks.size();
  const int64_t begin = std::min(num_elements, ranks.rank() * stride);
  return {begin, std::min(stride, num_elements - begin)};
}

void exchange_shares(const std::vector<at::Tensor>& tensors, const Ranks& ranks, int64_t at_once) {
  const int64_t size = ranks.size();
  if (size == 1) return;
  std::vector<Extent> extents;
  for (const auto& tensor : tensors) extents.push_back({tensor.numel(), tensor.scalar_type()});
  const auto exchanges = cut(extents, size, at_once);
  struct Started {
    const Slices& slices;
    at::Tensor mine, whole;  // [C], [R, C]
    std::unique_ptr<Exchange> exchange;
  };
  std::deque<Started> under_way;
  const auto receive = [&] {
    const auto& [slices, mine, whole, exchange] = under_way.front();
    exchange->wait();
    for (int64_t rank = 0; rank < size; ++rank) {
      if (rank == ranks.rank()) continue;
      for_slices(tensors, slices, rank, size, whole[rank],
                 [](const at::Tensor& share, const at::Tensor& row) { share.copy_(row); });
    }
    under_way.pop_front();
  };
  for (const auto& slices : exchanges) {
    if (under_way.size() == kExchangesUnderWay) receive();
    const auto mine = at::zeros({num_columns(slices)}, tensors[slices.front().tensor].options());
    const auto whole = at::empty({size, mine.numel()}, mine.options());
    for_slices(tensors, slices, ranks.rank(), size, mine,
               [](const at::Tensor& share, const at::Tensor& row) { row.copy_(share); });
    under_way.push_back({slices, mine, whole, ranks.start_all_gather(mine, whole)});
  }
  while (!under_way.empty()) receive();
}

at::Tensor gather_shares(const at::Tensor& share, at::IntArrayRef shape, const Ranks& ranks) {
  if (ranks.size() == 1) return share.view(shape);
  const auto whole = at::empty(shape, share.options());
  const auto [begin, length] = rank_share(whole.numel(), ranks);
  whole.view(-1).narrow(0, begin, length).copy_(share);
  exchange_shares({whole}, ranks);
  return whole;
}

}  // namespace vlsi
