#include "ranks/share_sums.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <utility>

#include "ranks/shares.h"

namespace vlsi {

ShareSums::ShareSums(const std::vector<int64_t>& num_elements, const at::TensorOptions& options, const Ranks& ranks,
                     int64_t at_once)
    : options_(options), ranks_(ranks), summands_(num_elements.size()) {
  std::vector<Extent> extents;
  for (size_t i = 0; i < num_elements.size(); ++i) {
    extents.push_back({num_elements[i], c10::typeMetaToScalarType(options.dtype())});
    summands_[i].share = at::empty({rank_share(num_elements[i], ranks).length}, options);
  }
  exchanges_ = cut(extents, ranks.size(), at_once);
  for (const auto& slices : exchanges_) {
    for (const auto& slice : slices) ++summands_[slice.tensor].num_unsent;
  }
}

void ShareSums::add(size_t index, at::Tensor tensor) {
  auto& summand = summands_[index];
  TORCH_CHECK(!summand.is_added, "tensor ", index, " is added to a sum twice");
  summand.tensor = tensor.view(-1);
  summand.is_added = true;
  while (num_started_ < exchanges_.size() && is_ready(exchanges_[num_started_])) start_next();
}

void ShareSums::start_all() {
  while (num_started_ < exchanges_.size()) start_next();
}

std::vector<at::Tensor> ShareSums::finish() {
  start_all();
  while (!under_way_.empty()) receive();
  std::vector<at::Tensor> shares;
  for (auto& summand : summands_) shares.push_back(std::move(summand.share));
  return shares;
}

bool ShareSums::is_ready(const Slices& slices) const {
  return std::all_of(slices.begin(), slices.end(),
                     [&](const Slice& slice) { return summands_[slice.tensor].is_added; });
}

void ShareSums::start_next() {
  if (under_way_.size() == kExchangesUnderWay) receive();  // the others have, or will have, started it, too
  const auto& slices = exchanges_[num_started_++];
  const auto whole = at::zeros({ranks_.size(), num_columns(slices)}, options_);
  int64_t column = 0;
  for (const auto& slice : slices) {
    auto& summand = summands_[slice.tensor];
    for (int64_t rank = 0; rank < ranks_.size() && summand.tensor.defined(); ++rank) {
      const auto share = elements(summand.tensor, slice, rank, ranks_.size());
      whole[rank].narrow(0, column, share.numel()).copy_(share);
    }
    column += slice.length;
    if (--summand.num_unsent == 0) summand.tensor = at::Tensor();
  }
  const auto sum = at::empty({column}, options_);
  under_way_.push_back({slices, whole, sum, ranks_.start_reduce_scatter_sum(whole, sum)});
}

void ShareSums::receive() {
  const auto& [slices, whole, sum, exchange] = under_way_.front();
  exchange->wait();
  int64_t column = 0;
  for (const auto& slice : slices) {
    const auto& share = summands_[slice.tensor].share;
    const int64_t length = std::clamp<int64_t>(share.numel() - slice.begin, 0, slice.length);
    if (length > 0) share.narrow(0, slice.begin, length).copy_(sum.narrow(0, column, length));
    column += slice.length;
  }
  under_way_.pop_front();
}

std::vector<at::Tensor> sum_to_shares(std::vector<at::Tensor> tensors, const Ranks& ranks, int64_t at_once) {
  std::vector<at::Tensor> shares;
  if (tensors.empty()) return shares;
  if (ranks.size() == 1) {
    for (const auto& tensor : tensors) shares.push_back(tensor.view(-1));
    return shares;
  }
  std::vector<int64_t> num_elements;
  for (const auto& tensor : tensors) num_elements.push_back(tensor.numel());
  ShareSums sums(num_elements, tensors.front().options(), ranks, at_once);
  for (size_t i = 0; i < tensors.size(); ++i) sums.add(i, std::move(tensors[i]));
  return sums.finish();
}

}  // namespace vlsi
