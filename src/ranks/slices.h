// Tensors dealt to ranks in equal shares, cut into exchanges of bounded size. (R ranks; C columns of an exchange)
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

namespace vlsi {

/// Values that an exchange moves at once, and how many exchanges are under way at a time.
inline constexpr int64_t kExchangedAtOnce = int64_t{1} << 22;
inline constexpr size_t kExchangesUnderWay = 4;

/// Columns begin .. begin + length - 1 of tensor number `tensor` seen as [R, ceil(n / R)], padded: the same place in
/// every rank's share.
struct Slice {
  size_t tensor;
  int64_t begin, length;
};
using Slices = std::vector<Slice>;

/// A tensor's number of elements and their type.
struct Extent {
  int64_t num_elements;
  at::ScalarType type;
};

/// All columns of all tensors in their order, in exchanges of at most `at_once` values and of one type each.
std::vector<Slices> cut(const std::vector<Extent>& tensors, int64_t num_ranks, int64_t at_once);

int64_t num_columns(const Slices& slices);

/// The slice's elements of rank `rank` in a tensor laid flat: fewer than its length, or none, where the tensor ends.
at::Tensor elements(const at::Tensor& flat, const Slice& slice, int64_t rank, int64_t num_ranks);

}  // namespace vlsi
