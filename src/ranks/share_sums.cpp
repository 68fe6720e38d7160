#include "ranks/share_sums.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <utility>

#include "ranks/shares.h"

namespace vlsi {

PartSums::PartSums(const std::vector<int64_t>& num_elements, const at::TensorOptions& options, const Ranks& ranks,
                   int64_t at_once)
    : options_(options), ranks_(ranks), summands_(num_elements.size()) {
  std::vector<Extent> extents;
  for (size_t i = 0; i < num_elements.size(); ++i) {
    extents.push_back({num_elements[i], c10::typeMetaToScalarType(options.dtype())});
    summands_[i].part = at::empty({rank_part(num_elements[i], ranks).length}, options);
  }
  exchanges_ = cut(extents, ranks.size(), at_once);
  for (const auto& pieces : exchanges_) {
    for (const auto& piece : pieces) ++summands_[piece.tensor].num_to_leave;
  }
}

void PartSums::add(size_t index, at::Tensor tensor) {
  auto& summand = summands_[index];
  TORCH_CHECK(!summand.is_here, "tensor ", index, " is added to a sum twice");
  summand.tensor = tensor.view(-1);
  summand.is_here = true;
  while (num_started_ < exchanges_.size() && is_ready(exchanges_[num_started_])) start_next();
}

void PartSums::start_all() {
  while (num_started_ < exchanges_.size()) start_next();
}

std::vector<at::Tensor> PartSums::finish() {
  start_all();
  while (!under_way_.empty()) receive();
  std::vector<at::Tensor> parts;
  for (auto& summand : summands_) parts.push_back(std::move(summand.part));
  return parts;
}

bool PartSums::is_ready(const Pieces& pieces) const {
  return std::all_of(pieces.begin(), pieces.end(), [&](const Piece& piece) { return summands_[piece.tensor].is_here; });
}

void PartSums::start_next() {
  if (under_way_.size() == kExchangesUnderWay) receive();  // the others have, or will have, started it, too
  const auto& pieces = exchanges_[num_started_++];
  const auto whole = at::zeros({ranks_.size(), num_columns(pieces)}, options_);
  int64_t column = 0;
  for (const auto& piece : pieces) {
    auto& summand = summands_[piece.tensor];
    for (int64_t rank = 0; rank < ranks_.size() && summand.tensor.defined(); ++rank) {
      const auto part = elements(summand.tensor, piece, rank, ranks_.size());
      whole[rank].narrow(0, column, part.numel()).copy_(part);
    }
    column += piece.length;
    if (--summand.num_to_leave == 0) summand.tensor = at::Tensor();
  }
  const auto sum = at::empty({column}, options_);
  under_way_.push_back({pieces, whole, sum, ranks_.start_reduce_scatter_sum(whole, sum)});
}

void PartSums::receive() {
  const auto& [pieces, whole, sum, exchange] = under_way_.front();
  exchange->wait();
  int64_t column = 0;
  for (const auto& piece : pieces) {
    const auto& part = summands_[piece.tensor].part;
    const int64_t length = std::clamp<int64_t>(part.numel() - piece.begin, 0, piece.length);
    if (length > 0) part.narrow(0, piece.begin, length).copy_(sum.narrow(0, column, length));
    column += piece.length;
  }
  under_way_.pop_front();
}

std::vector<at::Tensor> sum_to_parts(std::vector<at::Tensor> tensors, const Ranks& ranks, int64_t at_once) {
  std::vector<at::Tensor> parts;
  if (tensors.empty()) return parts;
  if (ranks.size() == 1) {
    for (const auto& tensor : tensors) parts.push_back(tensor.view(-1));
    return parts;
  }
  std::vector<int64_t> num_elements;
  for (const auto& tensor : tensors) num_elements.push_back(tensor.numel());
  PartSums sums(num_elements, tensors.front().options(), ranks, at_once);
  for (size_t i = 0; i < tensors.size(); ++i) sums.add(i, std::move(tensors[i]));
  return sums.finish();
}

}  // namespace vlsi
