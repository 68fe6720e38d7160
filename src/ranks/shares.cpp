#include "ranks/shares.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <deque>
#include <memory>

namespace vlsi {
namespace {

/// copy(elements of the tensor, place in the row) for each piece of rank `rank`, whose row [C] of an exchange is `row`.
template <class Copy>
void for_pieces(const std::vector<at::Tensor>& tensors, const Pieces& pieces, int64_t rank, int64_t num_ranks,
                const at::Tensor& row, const Copy& copy) {
  int64_t column = 0;
  for (const auto& piece : pieces) {
    const auto part = elements(tensors[piece.tensor].view(-1), piece, rank, num_ranks);
    copy(part, row.narrow(0, column, part.numel()));
    column += piece.length;
  }
}

}  // namespace

RankPart rank_part(int64_t num_elements, const Ranks& ranks) {
  const int64_t stride = (num_elements + ranks.size() - 1) / ranks.size();
  const int64_t begin = std::min(num_elements, ranks.rank() * stride);
  return {begin, std::min(stride, num_elements - begin)};
}

void share_parts(const std::vector<at::Tensor>& tensors, const Ranks& ranks, int64_t at_once) {
  const int64_t size = ranks.size();
  if (size == 1) return;
  std::vector<Extent> extents;
  for (const auto& tensor : tensors) extents.push_back({tensor.numel(), tensor.scalar_type()});
  const auto exchanges = cut(extents, size, at_once);
  struct Departed {
    const Pieces& pieces;
    at::Tensor mine, whole;  // [C], [R, C]
    std::unique_ptr<Exchange> exchange;
  };
  std::deque<Departed> under_way;
  const auto receive = [&] {
    const auto& [pieces, mine, whole, exchange] = under_way.front();
    exchange->wait();
    for (int64_t rank = 0; rank < size; ++rank) {
      if (rank == ranks.rank()) continue;
      for_pieces(tensors, pieces, rank, size, whole[rank],
                 [](const at::Tensor& part, const at::Tensor& row) { part.copy_(row); });
    }
    under_way.pop_front();
  };
  for (const auto& pieces : exchanges) {
    if (under_way.size() == kExchangesUnderWay) receive();
    const auto mine = at::zeros({num_columns(pieces)}, tensors[pieces.front().tensor].options());
    const auto whole = at::empty({size, mine.numel()}, mine.options());
    for_pieces(tensors, pieces, ranks.rank(), size, mine,
               [](const at::Tensor& part, const at::Tensor& row) { row.copy_(part); });
    under_way.push_back({pieces, mine, whole, ranks.start_all_gather(mine, whole)});
  }
  while (!under_way.empty()) receive();
}

at::Tensor gather_parts(const at::Tensor& part, at::IntArrayRef shape, const Ranks& ranks) {
  if (ranks.size() == 1) return part.view(shape);
  const auto whole = at::empty(shape, part.options());
  const auto [begin, length] = rank_part(whole.numel(), ranks);
  whole.view(-1).narrow(0, begin, length).copy_(part);
  share_parts({whole}, ranks);
  return whole;
}

}  // namespace vlsi
