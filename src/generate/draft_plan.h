// How far the answers of a pass are drafted, and the cache's blocks for it.
#pragma once

#include <vector>

#include "generate/cache_blocks.h"
#include "generate/draft.h"
#include "generate/passes.h"

namespace vlsi {

/// Sets max_draft of each piece, which is one token of a branch: at most draft.num_tokens, as many as leave its answer
/// a token behind them, as there are blocks that nobody needs, and as all pieces together are rows that are computed
/// one by one. 0 for beams. Gives the branches blocks for their drafts.
void plan_drafts(const Draft& draft, CacheBlocks& blocks, std::vector<PassPiece>& pieces);

/// Gives back a branch's blocks behind that of its next token.
void release_unneeded(CacheBlocks& blocks, Branch& branch);

}  // namespace vlsi
