// What one pass of the model computes: the next tokens of several branches. (T new tokens, P pieces)
#pragma once

#include <cstdint>
#include <utility>
#include <vector>

#include "data/batch.h"
#include "generate/answering.h"
#include "generate/draft.h"
#include "model/kv_cache.h"
#include "model/vlm.h"

namespace vlsi {

/// The next `count` tokens of a branch whose keys and values are not known yet.
struct PassPiece {
  Answering* job;
  Branch* branch;
  int64_t count;
  int64_t max_draft = 0;  // tokens to draft behind them, at most
};

/// Computes the pieces' tokens and marks them as known. Returns the final rows [P, D] of each piece's last token, in
/// the order of `pieces`.
at::Tensor run_pass(const Vlm& model, PictureFeatures* pictures, KvCache& cache, const std::vector<PassPiece>& pieces);

/// The same for pieces of one token, the last one of their branches, of which each first drafts tokens to follow: one
/// after the other, by the layers up to draft.layer alone, until there are max_draft of them or one would end the
/// answer. The layers above compute all of them in one pass. Only the pieces' own tokens are marked as known. Returns
/// the final rows of each piece's token and of its branch's draft, in the order of `pieces`.
at::Tensor run_drafted_pass(const Vlm& model, KvCache& cache, const Draft& draft, const std::vector<PassPiece>& pieces);

/// Why the token behind a branch has no finite logits: the first decoder layer whose rows are not, or the head.
std::string describe_not_finite(const Vlm& model, PictureFeatures* pictures, Answering& job, const Branch& branch);

/// The largest of each row of logits [rows, V] and its place, read from a device in one copy.
std::pair<at::Tensor, at::Tensor> largest_on_host(const at::Tensor& logits);

}  // namespace vlsi
