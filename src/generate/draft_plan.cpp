#include "generate/draft_plan.h"

#include <algorithm>

#include "model/cpu/row_products.h"
#include "model/kv_cache.h"

namespace vlsi {

void plan_drafts(const Draft& draft, CacheBlocks& blocks, std::vector<PassPiece>& pieces) {
  const int64_t most = std::min(draft.num_tokens, kMaxProductRows / std::ssize(pieces) - 1);
  if (draft.layer == 0 || most < 1) return;
  for (auto& piece : pieces) {
    if (piece.job->num_beams() > 1) continue;
    auto& branch = *piece.branch;
    const int64_t wanted = std::min(most, piece.job->num_left() - 1);
    const auto room = [&] { return std::ssize(branch.blocks) * KvCache::kBlockTokens - branch.num_known - 1; };
    while (room() < wanted && blocks.num_free() > 0) branch.blocks.push_back(*blocks.take());
    piece.max_draft = std::min(wanted, room());
  }
}

void release_unneeded(CacheBlocks& blocks, Branch& branch) {
  while (std::ssize(branch.blocks) > KvCache::blocks_for(branch.num_known)) {
    blocks.release(branch.blocks.back());
    branch.blocks.pop_back();
  }
}

}  // namespace vlsi
