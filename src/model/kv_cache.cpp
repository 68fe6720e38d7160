#include "model/kv_cache.h"

#include <ATen/ATen.h>

#include <algorithm>

namespace vlsi {

KvCache::KvCache(const TextConfig& config, int64_t num_sequences, int64_t capacity, const at::TensorOptions& options) {
  const std::vector<int64_t> shape{num_sequences, config.num_key_value_heads, capacity, config.head_dim()};
  for (int64_t i = 0; i < config.num_hidden_layers; ++i) {
    layers_.push_back({at::zeros(shape, options), at::zeros(shape, options)});
  }
}

void KvCache::store_prompt(int64_t layer_index, const at::Tensor& k, const at::Tensor& v,
                           const std::vector<SequenceRun>& runs) {
  auto& layer = layers_[layer_index];
  int64_t first = 0;
  for (const auto& [start, length, count] : runs) {
    for (const auto& [cache, rows] : {std::pair(layer.k, k), std::pair(layer.v, v)}) {
      const auto by_sequence = rows.narrow(0, start, length * count).view({count, length, rows.size(1), rows.size(2)});
      cache.narrow(0, first, count).narrow(2, 0, length).copy_(by_sequence.transpose(1, 2));
    }
    first += count;
  }
}

at::Tensor KvCache::append_and_attend(int64_t layer_index, const at::Tensor& q, const at::Tensor& k,
                                      const at::Tensor& v) {
  auto& layer = layers_[layer_index];
  const auto sequences = at::arange(static_cast<int64_t>(lengths_.size()), q.options().dtype(at::kLong));
  const auto lengths = at::tensor(lengths_, at::kLong).to(q.device());
  layer.k.transpose(1, 2).index_put_({sequences, lengths}, k);
  layer.v.transpose(1, 2).index_put_({sequences, lengths}, v);

  const int64_t longest = *std::max_element(lengths_.begin(), lengths_.end()) + 1;
  const auto mask =
      (at::arange(longest, lengths.options()).unsqueeze(0) <= lengths.unsqueeze(1)).unsqueeze(1).unsqueeze(1);
  const auto attended = at::scaled_dot_product_attention(q.unsqueeze(2), layer.k.narrow(2, 0, longest),
                                                         layer.v.narrow(2, 0, longest), mask, 0.0, false, std::nullopt,
                                                         q.size(1) != k.size(1));  // [B, H, 1, d]
  return attended.squeeze(2);
}

void KvCache::finish_prompt(const std::vector<SequenceRun>& runs) {
  lengths_.clear();
  for (const auto& run : runs) lengths_.insert(lengths_.end(), run.count, run.length);
}

void KvCache::finish_step() {
  for (auto& length : lengths_) ++length;
}

void KvCache::select(const at::Tensor& sequences) {
  for (auto& layer : layers_) {
    layer.k = layer.k.index_select(0, sequences);
    layer.v = layer.v.index_select(0, sequences);
  }
  std::vector<int64_t> lengths;
  const auto indices = sequences.cpu();
  for (int64_t i = 0; i < indices.size(0); ++i) lengths.push_back(lengths_[indices[i].item<int64_t>()]);
  lengths_ = std::move(lengths);
}

}  // namespace vlsi
