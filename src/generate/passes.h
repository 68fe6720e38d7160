// What one pass of the model computes: the next tokens of several branches. (T new tokens, P pieces)
#pragma once

#include <cstdint>
#include <vector>

#include "data/batch.h"
#include "generate/answering.h"
#include "model/kv_cache.h"
#include "model/vlm.h"

namespace vlsi {

/// The next `count` tokens of a branch whose keys and values are not known yet.
struct PassPiece {
  Answering* job;
  Branch* branch;
  int64_t count;
};

/// Computes the pieces' tokens and marks them as known. Returns the final rows [P, D] of each piece's last token, in
/// the order of `pieces`.
at::Tensor run_pass(const Vlm& model, PictureFeatures* pictures, KvCache& cache, const std::vector<PassPiece>& pieces);

/// Why the token behind a branch has no finite logits: the first decoder layer whose rows are not, or the head.
std::string describe_not_finite(const Vlm& model, PictureFeatures* pictures, Answering& job, const Branch& branch);

}  // namespace vlsi
