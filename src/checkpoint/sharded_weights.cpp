#include "checkpoint/sharded_weights.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <algorithm>

namespace vlsi {
namespace {

constexpr int64_t kAlignment = 64;  // values between the starts of weights: what kernels do does not depend on the part

class ShardedWeights : public WeightSource {
 public:
  ShardedWeights(const StoredParts& parts, at::TensorOptions options, WeightSharing sharing)
      : options_(options), sharing_(std::move(sharing)) {
    at::NoGradGuard no_grad;
    for (const auto& part : parts) shards_.push_back(shard_of(part));
  }

  void fetch(size_t part) override {
    at::NoGradGuard no_grad;
    auto& shard = shards_[part];
    auto whole = at::empty({sharing_.size, shard.values.size(0)}, options_);
    sharing_.gather(shard.values, whole);
    shard.whole = whole.flatten();
  }

  void show(size_t part) override {
    const auto& shard = shards_[part];
    for (const auto& weight : shard.weights) {
      const auto size = weight.parameter.sizes();
      weight.parameter.set_data(shard.whole.narrow(0, weight.first, weight.parameter.numel()).view(size));
    }
  }

  void let_go(size_t part) override {
    for (const auto& weight : shards_[part].weights) forget(weight.parameter);
    shards_[part].whole = at::Tensor();
  }

  bool is_exchange() const override { return true; }

 private:
  struct Weight {
    at::Tensor parameter;
    int64_t first;  // its place in the part
  };
  struct Shard {
    std::vector<Weight> weights;
    at::Tensor values;  // this process's
    at::Tensor whole;   // of all processes, while the part is in use
  };

  Shard shard_of(const std::vector<StoredWeight>& stored) const {
    Shard shard;
    int64_t size = 0;
    for (const auto& weight : stored) {
      shard.weights.push_back({weight.parameter, size});
      size += (weight.stored.numel() + kAlignment - 1) / kAlignment * kAlignment;
    }
    const int64_t share = (size + sharing_.size - 1) / sharing_.size;
    shard.values = at::zeros({share}, options_);
    const int64_t begin = sharing_.rank * share;
    for (size_t i = 0; i < stored.size(); ++i) {
      const int64_t first = shard.weights[i].first;
      const int64_t from = std::max(begin, first), to = std::min(begin + share, first + stored[i].stored.numel());
      if (from < to)
        shard.values.narrow(0, from - begin, to - from)
            .copy_(stored[i].stored.flatten().narrow(0, from - first, to - from));
      forget(stored[i].parameter);
    }
    return shard;
  }

  /// One value stands for all.
  void forget(const at::Tensor& parameter) const {
    at::NoGradGuard no_grad;
    const auto shape = parameter.sizes().vec();
    parameter.set_data(at::zeros({}, options_).expand(shape));
  }

  const at::TensorOptions options_;
  const WeightSharing sharing_;
  std::vector<Shard> shards_;
};

}  // namespace

std::unique_ptr<WeightSource> sharded_weights(const StoredParts& parts, at::TensorOptions options,
                                              WeightSharing sharing) {
  return std::make_unique<ShardedWeights>(parts, options, std::move(sharing));
}

}  // namespace vlsi
