// Sums over the ranks of tensors that become known one after the other, while more of them are computed.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <deque>
#include <memory>
#include <vector>

#include "ranks/ranks.h"
#include "ranks/slices.h"

namespace vlsi {

/// Of the sums over all ranks of a list of tensors each rank gets its part. Exchanges leave in the order of the list on
/// every rank, each as soon as it and those before it have all their tensors here: it does not matter in which order,
/// or when, a rank adds them. A rank that exchanges other things, too, does so before the first tensor or after
/// start_all().
class PartSums {
 public:
  /// Every rank names the same sizes. The tensors are of one type, on one device: `options`.
  PartSums(const std::vector<int64_t>& num_elements, const at::TensorOptions& options, const Ranks& ranks,
           int64_t at_once = kExchangedAtOnce);

  /// Tensor `index` of this rank, contiguous, of any shape; dropped when it has left. Once for each.
  void add(size_t index, at::Tensor tensor);
  /// Nothing more is added: all exchanges leave, what this rank did not add as zero.
  void start_all();
  /// How many exchanges have left.
  size_t num_started() const { return num_started_; }
  /// This rank's part of each sum, flat (rank_parts.h). Begins with start_all(); the last call.
  std::vector<at::Tensor> finish();

 private:
  struct Summand {
    at::Tensor tensor;  // flat; undefined before it is added, and when it has left
    at::Tensor part;
    bool is_here = false;
    size_t num_to_leave = 0;  // exchanges that take something of it
  };
  struct Departed {
    const Pieces& pieces;
    at::Tensor whole, sum;  // [R, C], [C]
    std::unique_ptr<Exchange> exchange;
  };

  bool is_ready(const Pieces& pieces) const;
  void start_next();
  /// Waits for the oldest exchange under way and puts its sums where they belong.
  void receive();

  const at::TensorOptions options_;
  const Ranks& ranks_;
  std::vector<Summand> summands_;
  std::vector<Pieces> exchanges_;
  size_t num_started_ = 0;
  std::deque<Departed> under_way_;
};

/// The sums of tensors that are all known: contiguous, of one type, on one device; each is dropped when it has left.
/// With one rank they are views.
std::vector<at::Tensor> sum_to_parts(std::vector<at::Tensor> tensors, const Ranks& ranks,
                                     int64_t at_once = kExchangedAtOnce);

}  // namespace vlsi
