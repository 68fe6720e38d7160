// The processes that train one run together, and what they tell each other.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

namespace vlsi {

/// Another rank ended, or cannot be heard: the run stops. The message is one line.
class RanksError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// An exchange that goes on while this rank computes. Its tensors belong to it until it has been waited for.
class Exchange {
 public:
  virtual ~Exchange() = default;
  /// Returns when the data are there, or throws RanksError when another rank has failed or is gone. Called once.
  virtual void wait() = 0;
};

/// Ranks number 0..size - 1. Every rank calls the functions that exchange something, or start to, in the same order and
/// with equal shapes. Those that only start may be waited for in any order; the others return when the data are there,
/// or throw RanksError when another rank has failed or is gone.
class Ranks {
 public:
  Ranks(int64_t rank, int64_t size) : rank_(rank), size_(size) {}
  Ranks(const Ranks&) = delete;
  Ranks& operator=(const Ranks&) = delete;
  virtual ~Ranks() = default;

  int64_t rank() const { return rank_; }
  int64_t size() const { return size_; }
  /// Whether this rank writes the run's files.
  bool is_first() const { return rank_ == 0; }

  /// whole[r] becomes rank r's `share`. share [n], whole [size, n], contiguous, of one type, on one device.
  virtual std::unique_ptr<Exchange> start_all_gather(const at::Tensor& share, const at::Tensor& whole) const = 0;
  /// `share` becomes the sum of all ranks' whole[rank()], added in the order of the ranks on a CPU. The same shapes.
  virtual std::unique_ptr<Exchange> start_reduce_scatter_sum(const at::Tensor& whole,
                                                             const at::Tensor& share) const = 0;
  /// Throws RanksError when another rank has failed or is gone; exchanges nothing.
  virtual void check() const = 0;
  /// The device that this rank computes on where the configuration says `device`.
  virtual at::Device device_for(at::Device device) const = 0;

  void all_gather(const at::Tensor& share, const at::Tensor& whole) const { start_all_gather(share, whole)->wait(); }
  /// Every rank's text, in their order. Any bytes, of any length.
  std::vector<std::string> all_gather(const std::string& text) const;
  /// Returns when every rank has called it.
  void wait_for_all() const;

 private:
  const int64_t rank_, size_;
};

/// A process alone: rank 0 of one.
const Ranks& one_rank();

}  // namespace vlsi
