// Keys and values of the tokens so far, for generation. (B sequences, T new tokens, H query heads, K key heads, d head
// width)
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <span>
#include <vector>

#include "model/config.h"
#include "model/cpu/cached_attention.h"

namespace vlsi {

/// Places for keys and values in blocks of equal size. Which block holds which sequence's tokens is its user's matter.
class KvCache {
 public:
  static constexpr int64_t kBlockTokens = 16;
  /// Blocks of a sequence of `num_tokens` with room for its next token.
  static constexpr int64_t blocks_for(int64_t num_tokens) { return num_tokens / kBlockTokens + 1; }

  /// Memory is taken as blocks are written to.
  KvCache(const TextConfig& config, int64_t num_blocks, const at::TensorOptions& options);

  static int64_t bytes_a_block(const TextConfig& config, at::ScalarType dtype);
  int64_t num_blocks() const { return num_blocks_; }
  void copy_block(int32_t from, int32_t to);

  struct Layer {
    at::Tensor k, v;  // [num_blocks * kBlockTokens, K, d]
  };
  const Layer& layer(int64_t index) const { return layers_[index]; }

 private:
  int64_t num_blocks_;
  std::vector<Layer> layers_;
};

/// A sequence in a pass: its new tokens stand behind those whose keys and values are known.
struct CachedSequence {
  std::vector<int32_t> blocks;  // of its tokens in order, with room for the new ones
  int64_t num_past = 0, num_new = 0;
};

/// How the new tokens of a pass are computed.
enum class NewTokens {
  kTogether,  // by the products of many rows, unless every sequence has one
  kOneByOne,  // by those of decoding, however many a sequence has: with the same bits as in a pass each
};

/// What a pass over new tokens [T] of B sequences, one sequence's after another's, needs of the cache.
class CachedPass {
 public:
  CachedPass(KvCache& cache, std::vector<CachedSequence> sequences, NewTokens new_tokens = NewTokens::kTogether);

  /// Stores a layer's keys and values [T, K, d] of the new tokens and lets q [T, H, d] attend, each to the tokens of
  /// its own sequence up to itself. Rows behind the T ones are filler, whose result is 0. Returns the shape of q.
  at::Tensor store_and_attend(int64_t layer_index, const at::Tensor& q, const at::Tensor& k, const at::Tensor& v) const;

  /// Whether every sequence has one new token, or they are computed one by one: rows are few, and reading weights is
  /// what takes time.
  bool is_decoding() const { return is_decoding_; }
  int64_t num_tokens() const { return num_tokens_; }

 private:
  /// Neighbours with equally many known and new tokens, which share an attention call.
  struct Run {
    int64_t first_sequence, first_token, count;
  };
  at::Tensor attend(const Run& run, const KvCache::Layer& layer, const at::Tensor& q, const at::Tensor& k,
                    const at::Tensor& v) const;
  at::Tensor slots_of(const Run& run) const;
  void prepare_runs(const at::TensorOptions& options);

  KvCache& cache_;
  std::vector<CachedSequence> sequences_;
  std::vector<Run> runs_;
  std::vector<CachedSpan> spans_;                  // of the new tokens, where cached_attention takes all of them
  std::vector<at::Tensor> run_slots_, run_masks_;  // of runs with known tokens, otherwise
  at::Tensor slots_;                               // [T] int64, where the new tokens' keys go
  int64_t num_tokens_ = 0;
  bool is_decoding_ = true;
};

}  // namespace vlsi
