#include "train/rank_parts.h"

#include <ATen/ATen.h>

#include <algorithm>

namespace vlsi {
namespace {

/// Columns begin .. begin + length - 1 of a tensor seen as [R, ceil(n / R)], padded: the same place in every rank's part.
struct Piece {
  size_t tensor;
  int64_t begin, length;
};

/// All columns of all tensors, in exchanges of at most `at_once` values and of one type each.
std::vector<std::vector<Piece>> cut(const std::vector<at::Tensor>& tensors, int64_t num_ranks, int64_t at_once) {
  const int64_t room = std::max<int64_t>(1, at_once / num_ranks);
  std::vector<std::vector<Piece>> exchanges;
  int64_t left = 0;
  for (size_t i = 0; i < tensors.size(); ++i) {
    TORCH_CHECK(tensors[i].is_contiguous(), "ranks exchange contiguous tensors");
    if (i > 0 && tensors[i].scalar_type() != tensors[i - 1].scalar_type()) left = 0;
    const int64_t num_columns = (tensors[i].numel() + num_ranks - 1) / num_ranks;
    for (int64_t begin = 0; begin < num_columns;) {
      if (left == 0) {
        exchanges.emplace_back();
        left = room;
      }
      const int64_t length = std::min(left, num_columns - begin);
      exchanges.back().push_back({i, begin, length});
      begin += length;
      left -= length;
    }
  }
  return exchanges;
}

int64_t num_columns(const std::vector<Piece>& pieces) {
  int64_t sum = 0;
  for (const auto& piece : pieces) sum += piece.length;
  return sum;
}

/// The piece's elements of rank `rank` in `flat`: fewer than its length, or none, where the tensor ends.
at::Tensor elements(const at::Tensor& flat, const Piece& piece, int64_t rank, int64_t num_ranks) {
  const int64_t stride = (flat.numel() + num_ranks - 1) / num_ranks, begin = std::min(flat.numel(), rank * stride + piece.begin);
  return flat.narrow(0, begin, std::min(piece.length, flat.numel() - begin));
}

/// copy(elements of the tensor, place in the row) for each piece of rank `rank`, whose row [C] of an exchange is `row`.
template <class Copy>
void for_pieces(const std::vector<at::Tensor>& tensors, const std::vector<Piece>& pieces, int64_t rank, int64_t num_ranks,
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

std::vector<at::Tensor> sum_to_parts(const std::vector<at::Tensor>& tensors, const Ranks& ranks, int64_t at_once) {
  const int64_t size = ranks.size();
  std::vector<at::Tensor> parts;
  for (const auto& tensor : tensors) {
    const auto [begin, length] = rank_part(tensor.numel(), ranks);
    parts.push_back(size == 1 ? tensor.view(-1) : at::empty({length}, tensor.options()));
  }
  if (size == 1) return parts;
  for (const auto& pieces : cut(tensors, size, at_once)) {
    const auto whole = at::zeros({size, num_columns(pieces)}, tensors[pieces.front().tensor].options());
    const auto sum = at::empty({whole.size(1)}, whole.options());
    for (int64_t rank = 0; rank < size; ++rank) {
      for_pieces(tensors, pieces, rank, size, whole[rank], [](const at::Tensor& part, const at::Tensor& row) { row.copy_(part); });
    }
    ranks.reduce_scatter_sum(whole, sum);
    int64_t column = 0;
    for (const auto& piece : pieces) {
      const int64_t length = std::clamp<int64_t>(parts[piece.tensor].numel() - piece.begin, 0, piece.length);
      if (length > 0) parts[piece.tensor].narrow(0, piece.begin, length).copy_(sum.narrow(0, column, length));
      column += piece.length;
    }
  }
  return parts;
}

void share_parts(const std::vector<at::Tensor>& tensors, const Ranks& ranks, int64_t at_once) {
  const int64_t size = ranks.size();
  if (size == 1) return;
  for (const auto& pieces : cut(tensors, size, at_once)) {
    const auto mine = at::zeros({num_columns(pieces)}, tensors[pieces.front().tensor].options());
    const auto whole = at::empty({size, mine.numel()}, mine.options());
    for_pieces(tensors, pieces, ranks.rank(), size, mine, [](const at::Tensor& part, const at::Tensor& row) { row.copy_(part); });
    ranks.all_gather(mine, whole);
    for (int64_t rank = 0; rank < size; ++rank) {
      if (rank == ranks.rank()) continue;
      for_pieces(tensors, pieces, rank, size, whole[rank], [](const at::Tensor& part, const at::Tensor& row) { part.copy_(row); });
    }
  }
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
