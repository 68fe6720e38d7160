#include "checkpoint/sharded_weights.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <algorithm>
#include <cstdint>

namespace vlsi {
namespace {

constexpr int64_t kAlignment =
    64;  // values between the starts of weights: what kernels do does not depend on the share

class ShardedWeights : public WeightSource {
 public:
  ShardedWeights(const StoredParts& parts, at::TensorOptions options, const Ranks& ranks)
      : options_(options), ranks_(ranks) {
    at::NoGradGuard no_grad;
    for (const auto& part : parts) parts_.push_back(share_of(part));
  }

  void fetch(size_t part) override {
    at::NoGradGuard no_grad;
    auto& shared = parts_[part];
    const auto whole = at::empty({ranks_.size(), shared.mine.size(0)}, options_);
    ranks_.all_gather(shared.mine, whole);
    shared.whole = whole.flatten();
  }

  void show(size_t part) override {
    const auto& shared = parts_[part];
    for (const auto& weight : shared.weights) {
      const auto size = weight.parameter.sizes();
      weight.parameter.set_data(shared.whole.narrow(0, weight.first, weight.parameter.numel()).view(size));
    }
  }

  void let_go(size_t part) override {
    for (const auto& weight : parts_[part].weights) forget(weight.parameter);
    parts_[part].whole = at::Tensor();
  }

  void replace(size_t, std::span<const at::Tensor>, std::span<const at::Tensor>) override {
    TORCH_CHECK(false, "what ranks hold together stays as it is");
  }

  bool is_exchange() const override { return true; }

 private:
  struct Weight {
    at::Tensor parameter;
    int64_t first;  // its place in the part
  };
  struct SharedPart {
    std::vector<Weight> weights;
    at::Tensor mine;   // this rank's share
    at::Tensor whole;  // of all ranks, while the part is in use
  };

  SharedPart share_of(const std::vector<StoredWeight>& stored) const {
    SharedPart shared;
    int64_t size = 0;
    for (const auto& weight : stored) {
      shared.weights.push_back({weight.parameter, size});
      size += (weight.stored.numel() + kAlignment - 1) / kAlignment * kAlignment;
    }
    const int64_t length = (size + ranks_.size() - 1) / ranks_.size();
    shared.mine = at::zeros({length}, options_);
    const int64_t begin = ranks_.rank() * length;
    for (size_t i = 0; i < stored.size(); ++i) {
      const int64_t first = shared.weights[i].first;
      const int64_t from = std::max(begin, first), to = std::min(begin + length, first + stored[i].stored.numel());
      if (from < to)
        shared.mine.narrow(0, from - begin, to - from)
            .copy_(stored[i].stored.flatten().narrow(0, from - first, to - from));
      forget(stored[i].parameter);
    }
    return shared;
  }

  /// One value stands for all.
  void forget(const at::Tensor& parameter) const {
    at::NoGradGuard no_grad;
    const auto shape = parameter.sizes().vec();
    parameter.set_data(at::zeros({}, options_).expand(shape));
  }

  const at::TensorOptions options_;
  const Ranks& ranks_;
  std::vector<SharedPart> parts_;
};

}  // namespace

std::unique_ptr<WeightSource> sharded_weights(const StoredParts& parts, at::TensorOptions options, const Ranks& ranks) {
  return std::make_unique<ShardedWeights>(parts, options, ranks);
}

}  // namespace vlsi
