#include "model/kv_cache.h"

#include <ATen/ATen.h>

#include <limits>

#include "base/send.h"
#include "model/attention.h"

namespace vlsi {

KvCache::KvCache(const TextConfig& config, int64_t num_blocks, const at::TensorOptions& options)
    : num_blocks_(num_blocks) {
  const std::vector<int64_t> shape{num_blocks * kBlockTokens, config.num_key_value_heads, config.head_dim()};
  for (int64_t i = 0; i < config.num_hidden_layers; ++i) {
    layers_.push_back({at::empty(shape, options), at::empty(shape, options)});
  }
}

int64_t KvCache::bytes_a_block(const TextConfig& config, at::ScalarType dtype) {
  return 2 * config.num_hidden_layers * kBlockTokens * config.num_key_value_heads * config.head_dim() *
         static_cast<int64_t>(c10::elementSize(dtype));
}

void KvCache::copy_block(int32_t from, int32_t to) {
  for (const auto& layer : layers_) {
    for (const auto& rows : {layer.k, layer.v}) {
      rows.narrow(0, to * kBlockTokens, kBlockTokens).copy_(rows.narrow(0, from * kBlockTokens, kBlockTokens));
    }
  }
}

namespace {

int64_t slot_of(const CachedSequence& sequence, int64_t token) {
  return sequence.blocks[token / KvCache::kBlockTokens] * KvCache::kBlockTokens + token % KvCache::kBlockTokens;
}

/// Which of all tokens each new one attends to: [new, past + new], 0 or -infinity.
at::Tensor causal_mask(int64_t num_past, int64_t num_new, const at::TensorOptions& options) {
  return at::full({num_new, num_past + num_new}, -std::numeric_limits<float>::infinity(), options).triu_(num_past + 1);
}

}  // namespace

CachedPass::CachedPass(KvCache& cache, std::vector<CachedSequence> sequences, NewTokens new_tokens)
    : cache_(cache), sequences_(std::move(sequences)) {
  const auto& example = cache.layer(0).k;
  std::vector<int64_t> slots;
  for (size_t i = 0; i < sequences_.size(); ++i) {
    const auto& sequence = sequences_[i];
    TORCH_CHECK(std::ssize(sequence.blocks) * KvCache::kBlockTokens >= sequence.num_past + sequence.num_new,
                "a sequence of ", sequence.num_past + sequence.num_new, " tokens has ", sequence.blocks.size(),
                " blocks");
    const bool joins =
        i > 0 && sequences_[i - 1].num_past == sequence.num_past && sequences_[i - 1].num_new == sequence.num_new;
    if (joins) {
      ++runs_.back().count;
    } else {
      runs_.push_back({static_cast<int64_t>(i), num_tokens_, 1});
    }
    for (int64_t token = 0; token < sequence.num_new; ++token) {
      slots.push_back(slot_of(sequence, sequence.num_past + token));
    }
    num_tokens_ += sequence.num_new;
    is_decoding_ = is_decoding_ && (sequence.num_new == 1 || new_tokens == NewTokens::kOneByOne);
  }
  slots_ = send(at::tensor(slots, at::kLong), example.device());
  if (is_decoding_ && has_cached_attention(example, example)) {
    for (const auto& sequence : sequences_) {
      for (int64_t token = 1; token <= sequence.num_new; ++token) {
        spans_.push_back({sequence.blocks.data(), sequence.num_past + token});
      }
    }
  } else {
    prepare_runs(example.options());
  }
}

void CachedPass::prepare_runs(const at::TensorOptions& options) {
  for (const auto& run : runs_) {
    const auto& first = sequences_[run.first_sequence];
    const bool has_past = first.num_past > 0;
    run_slots_.push_back(has_past ? slots_of(run) : at::Tensor());
    run_masks_.push_back(has_past && first.num_new > 1 ? causal_mask(first.num_past, first.num_new, options)
                                                       : at::Tensor());
  }
}

at::Tensor CachedPass::slots_of(const Run& run) const {
  std::vector<int64_t> slots;
  for (int64_t i = 0; i < run.count; ++i) {
    const auto& sequence = sequences_[run.first_sequence + i];
    for (int64_t token = 0; token < sequence.num_past + sequence.num_new; ++token) {
      slots.push_back(slot_of(sequence, token));
    }
  }
  return send(at::tensor(slots, at::kLong), slots_.device());
}

at::Tensor CachedPass::attend(const Run& run, const KvCache::Layer& layer, const at::Tensor& q, const at::Tensor& k,
                              const at::Tensor& v) const {
  const auto index = &run - runs_.data();
  const auto& first = sequences_[run.first_sequence];
  const int64_t num_rows = run.count * first.num_new;
  const auto of_run = [&](const at::Tensor& rows) { return rows.narrow(0, run.first_token, num_rows); };
  if (first.num_past == 0) {
    return packed_attention(of_run(q), of_run(k), of_run(v), {{0, first.num_new, run.count}}, /*causal=*/true);
  }
  const auto heads_first = [&](const at::Tensor& rows) {
    return rows.view({run.count, -1, rows.size(1), rows.size(2)}).transpose(1, 2);
  };
  const auto mask = run_masks_[index].defined() ? std::optional(run_masks_[index]) : std::nullopt;
  const auto attended = at::scaled_dot_product_attention(
      heads_first(of_run(q)), heads_first(layer.k.index_select(0, run_slots_[index])),
      heads_first(layer.v.index_select(0, run_slots_[index])), mask, 0.0, /*is_causal=*/false, std::nullopt,
      q.size(1) != k.size(1));  // [count, H, new, d]
  return attended.transpose(1, 2).reshape({num_rows, q.size(1), q.size(2)});
}

at::Tensor CachedPass::store_and_attend(int64_t layer_index, const at::Tensor& q, const at::Tensor& k,
                                        const at::Tensor& v) const {
  const auto& layer = cache_.layer(layer_index);
  const auto own = [&](const at::Tensor& rows) { return rows.narrow(0, 0, num_tokens_); };
  at::Tensor(layer.k).index_copy_(0, slots_, own(k));
  at::Tensor(layer.v).index_copy_(0, slots_, own(v));
  if (!spans_.empty()) return cached_attention(q, layer.k, layer.v, spans_);
  std::vector<at::Tensor> attended;
  for (const auto& run : runs_) attended.push_back(attend(run, layer, q, k, v));
  if (const int64_t num_filler = q.size(0) - num_tokens_; num_filler > 0) {
    attended.push_back(q.new_zeros({num_filler, q.size(1), q.size(2)}));
  }
  return attended.size() == 1 ? attended.front() : at::cat(attended);
}

}  // namespace vlsi
