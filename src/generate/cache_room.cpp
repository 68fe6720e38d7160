#include "generate/cache_room.h"

#include <algorithm>

#include "model/kv_cache.h"

namespace vlsi {
namespace {

int64_t bytes_a_block(const Vlm& model) { return KvCache::bytes_a_block(model.config().text, model.dtype()); }

}  // namespace

int64_t cache_room(const Vlm& model, int64_t cache_bytes) {
  constexpr int64_t kLeastBlocks = 2;
  return std::max(kLeastBlocks, cache_bytes / bytes_a_block(model)) * KvCache::kBlockTokens;
}

int64_t cache_bytes_of(const Vlm& model, int64_t num_tokens) {
  return (num_tokens + KvCache::kBlockTokens - 1) / KvCache::kBlockTokens * bytes_a_block(model);
}

}  // namespace vlsi
