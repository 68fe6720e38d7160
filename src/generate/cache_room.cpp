#include "generate/cache_room.h"

#include <algorithm>

#include "base/error.h"
#include "base/size_text.h"
#include "generate/engine.h"

namespace vlsi {
namespace {

int64_t bytes_a_block(const Vlm& model) { return KvCache::bytes_a_block(model.config().text, model.dtype()); }

}  // namespace

int64_t cache_room(const Vlm& model, int64_t cache_bytes) {
  constexpr int64_t kLeastBlocks = 2;
  return std::max(kLeastBlocks, cache_bytes / bytes_a_block(model)) * KvCache::kBlockTokens;
}

KvCache make_cache(const Vlm& model, int64_t cache_bytes) {
  const int64_t num_blocks = cache_room(model, cache_bytes) / KvCache::kBlockTokens;
  try {
    return {model.config().text, num_blocks, at::TensorOptions(model.device()).dtype(model.dtype())};
  } catch (const c10::Error&) {
    if (!model.device().is_cpu()) throw;
    fail("answering: there is no memory for the cache of keys and values of ", size_text(cache_bytes));
  }
}

int64_t cache_bytes_of_one(const Vlm& model, int64_t num_prompt_tokens, const Decoding& decoding) {
  const int64_t context = model.config().text.max_position_embeddings;
  const int64_t longest = std::min(context, num_prompt_tokens + std::min(decoding.max_new_tokens, context));
  return std::max(EngineConfig().cache_bytes, decoding.num_beams * KvCache::blocks_for(longest) * bytes_a_block(model));
}

}  // namespace vlsi
