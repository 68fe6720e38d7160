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

/// Gives each rank its share of the sums over all ranks of a list of tensors. Exchanges start in the order of the list
/// on every rank, each as soon as it and those before it have all their tensors: a rank may add them in any order, at
/// any time. A rank that exchanges other things, too, does so before the first tensor or after start_all().
class ShareSums {
 public:
  /// Every rank names the same sizes. The tensors are of one type, on one device: `options`.
  ShareSums(const std::vector<int64_t>& num_elements, const at::TensorOptions& options, const Ranks& ranks,
            int64_t at_once = kExchangedAtOnce);

  /// Tensor `index` of this rank, contiguous, of any shape; dropped when it was sent. Once for each.
  void add(size_t index, at::Tensor tensor);
  /// Starts all exchanges, with zero for what this rank did not add. Nothing more is added then.
  void start_all();
  /// How many exchanges have started.
  size_t num_started() const { return num_started_; }
  /// This rank's share of each sum, flat (shares.h). Begins with start_all(); the last call.
  std::vector<at::Tensor> finish();

 private:
  struct Summand {
    at::Tensor tensor;  // flat; undefined before it is added, and when it was sent
    at::Tensor share;
    bool is_added = false;
    size_t num_unsent = 0;  // slices of it
  };
  struct Started {
    const Slices& slices;
    at::Tensor whole, sum;  // [R, C], [C]
    std::unique_ptr<Exchange> exchange;
  };

  bool is_ready(const Slices& slices) const;
  void start_next();
  /// Waits for the oldest exchange under way and puts its sums where they belong.
  void receive();

  const at::TensorOptions options_;
  const Ranks& ranks_;
  std::vector<Summand> summands_;
  std::vector<Slices> exchanges_;
  size_t num_started_ = 0;
  std::deque<Started> under_way_;
};

/// The sums of tensors that are all known: contiguous, of one type, on one device; each is dropped when it was sent.
/// With one rank they are views.
std::vector<at::Tensor> sum_to_shares(std::vector<at::Tensor> tensors, const Ranks& ranks,
                                      int64_t at_once = kExchangedAtOnce);

}  // namespace vlsi
