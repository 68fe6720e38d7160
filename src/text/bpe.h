// Byte-pair encoding of one word: joins neighbours by the earliest merge until none applies.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "text/vocabulary.h"
#include "text/word_cache.h"

namespace vlsi {

/// `left` and `right` next to one another become `joined`.
struct Merge {
  int32_t left, right, joined;
};

/// Immutable but for a cache; may be used from several threads at once.
class Bpe {
 public:
  /// Merges by falling precedence, each pair once. `vocabulary` has a token for every single byte; with `ignore_merges`
  /// a word that is a token as it stands is that token.
  Bpe(Vocabulary vocabulary, std::vector<Merge> merges, bool ignore_merges);

  /// Appends the ids of `word`, which must not be empty. Time n log n in its bytes.
  void encode(std::string_view word, std::vector<int32_t>& ids) const;

  const Vocabulary& vocabulary() const { return vocabulary_; }

 private:
  static constexpr uint32_t kNoMerge = UINT32_MAX;
  /// Whether a merge, by its rank, is the one of this pair.
  auto joins(int32_t left, int32_t right) const {
    return [this, left, right](int32_t rank) { return merges_[rank].left == left && merges_[rank].right == right; };
  }
  /// The rank of the pair's merge; kNoMerge without one.
  uint32_t find(int32_t left, int32_t right) const;
  void merge_short(std::string_view word, std::vector<int32_t>& ids) const;
  void merge_long(std::string_view word, std::vector<int32_t>& ids) const;

  Vocabulary vocabulary_;
  std::array<int32_t, 256> byte_ids_;
  std::vector<Merge> merges_;  // by rank
  IndexTable table_;           // of merges_, by pair
  bool ignore_merges_;
  std::unique_ptr<WordCache> cache_;
};

}  // namespace vlsi
