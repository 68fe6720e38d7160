// Ranks that count the sums which they have started.
#pragma once

#include "ranks/ranks.h"

namespace vlsi {

class CountingRanks : public Ranks {
 public:
  explicit CountingRanks(const Ranks& inner) : Ranks(inner.rank(), inner.size()), inner_(inner) {}

  std::unique_ptr<Exchange> start_all_gather(const at::Tensor& part, const at::Tensor& whole) const override {
    return inner_.start_all_gather(part, whole);
  }
  std::unique_ptr<Exchange> start_reduce_scatter_sum(const at::Tensor& whole, const at::Tensor& part) const override {
    ++num_sums_;
    return inner_.start_reduce_scatter_sum(whole, part);
  }
  void check() const override { inner_.check(); }
  at::Device device_for(at::Device device) const override { return inner_.device_for(device); }

  int64_t num_sums() const { return num_sums_; }

 private:
  const Ranks& inner_;
  mutable int64_t num_sums_ = 0;
};

}  // namespace vlsi
