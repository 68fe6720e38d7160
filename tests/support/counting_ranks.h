// Ranks that count what they exchange.
#pragma once

#include "ranks/ranks.h"

namespace vlsi {

class CountingRanks : public Ranks {
 public:
  explicit CountingRanks(const Ranks& inner) : Ranks(inner.rank(), inner.size()), inner_(inner) {}

  std::unique_ptr<Exchange> start_all_gather(const at::Tensor& share, const at::Tensor& whole) const override {
    num_given_ += share.numel();
    return inner_.start_all_gather(share, whole);
  }
  std::unique_ptr<Exchange> start_reduce_scatter_sum(const at::Tensor& whole, const at::Tensor& share) const override {
    ++num_sums_;
    return inner_.start_reduce_scatter_sum(whole, share);
  }
  void check() const override { inner_.check(); }
  at::Device device_for(at::Device device) const override { return inner_.device_for(device); }

  /// Sums that were started.
  int64_t num_sums() const { return num_sums_; }
  /// Values of this rank that the others gathered.
  int64_t num_given() const { return num_given_; }

 private:
  const Ranks& inner_;
  mutable int64_t num_sums_ = 0, num_given_ = 0;
};

}  // namespace vlsi
