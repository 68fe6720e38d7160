#include "ranks/slices.h"

#include <ATen/ATen.h>

#include <algorithm>

namespace vlsi {

std::vector<Slices> cut(const std::vector<Extent>& tensors, int64_t num_ranks, int64_t at_once) {
  const int64_t room = std::max<int64_t>(1, at_once / num_ranks);
  std::vector<Slices> exchanges;
  int64_t left = 0;
  for (size_t i = 0; i < tensors.size(); ++i) {
    if (i > 0 && tensors[i].type != tensors[i - 1].type) left = 0;
    const int64_t stride = (tensors[i].num_elements + num_ranks - 1) / num_ranks;
    for (int64_t begin = 0; begin < stride;) {
      if (left == 0) {
        exchanges.emplace_back();
        left = room;
      }
      const int64_t length = std::min(left, stride - begin);
      exchanges.back().push_back({i, begin, length});
      begin += length;
      left -= length;
    }
  }
  return exchanges;
}

int64_t num_columns(const Slices& slices) {
  int64_t sum = 0;
  for (const auto& slice : slices) sum += slice.length;
  return sum;
}

at::Tensor elements(const at::Tensor& flat, const Slice& slice, int64_t rank, int64_t num_ranks) {
  const int64_t stride = (flat.numel() + num_ranks - 1) / num_ranks,
                begin = std::min(flat.numel(), rank * stride + slice.begin);
  return flat.narrow(0, begin, std::min(slice.length, flat.numel() - begin));
}

}  // namespace vlsi
