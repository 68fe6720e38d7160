// Drafts of an answer: tokens that a lower layer expects next, for the whole model to check several of them in one
// pass. (P rows, D width, V vocabulary)
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>
#include <string>

namespace vlsi {

/// Who drafts, and how far.
struct Draft {
  int64_t layer = 0;       // 1-based decoder layer whose rows are read; 0: nothing is drafted
  int64_t num_tokens = 4;  // at most, ahead of each answer
  /// Logits [P, V] of the next token from rows [P, D] after the layer.
  std::function<at::Tensor(const at::Tensor& rows)> logits = nullptr;
};

/// What an answer's tokens took, those of its prompt apart.
struct DraftCounts {
  int64_t passes = 0;  // of the whole model; each gives one token beside the accepted ones
  int64_t drafted = 0, accepted = 0;

  DraftCounts& operator+=(const DraftCounts& other);
};

/// "2.5 tokens a pass, 30 of 40 drafted ones accepted"
std::string describe(const DraftCounts& counts);

}  // namespace vlsi
