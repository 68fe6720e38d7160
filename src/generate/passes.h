// What one pass of the model computes: the next tokens of several branches. (T new tokens, P pieces)
#pragma once

#include <cstdint>
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
/// the final rows of each piece's token and of its branch's draft, in the order of `pieces`. Off the CPU, where no
/// answer needs logits, the drafts' tokens stay there, so that the host need not wait for each: `unread` has them in
/// the order of `pieces`, for name_drafts, and a draft goes on behind a token that would end the answer.
at::Tensor run_drafted_pass(const Vlm& model, KvCache& cache, const Draft& draft, const std::vector<PassPiece>& pieces,
                            at::Tensor& unread);
/// Gives the pieces' branches their drafts, read from the device.
void name_drafts(const std::vector<PassPiece>& pieces, const at::Tensor& tokens);

/// Why the token behind a branch has no finite logits: the first decoder layer whose rows are not, or the head.
std::string describe_not_finite(const Vlm& model, PictureFeatures* pictures, Answering& job, const Branch& branch);

/// On the host, of logits [rows, V].
struct Largest {
  at::Tensor values, tokens;  // [rows]: of each row the largest, and its place
  at::Tensor drafted;         // the tokens that were to be read with them, if any
};

/// Read from a device in one copy, with the tokens `unread` there; undefined: none.
Largest largest_on_host(const at::Tensor& logits, const at::Tensor& unread);

}  // namespace vlsi
