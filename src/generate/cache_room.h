// The cache of keys and values of so many bytes, and how many tokens it holds.
#pragma once

#include <cstdint>

#include "generate/decoding.h"
#include "model/kv_cache.h"
#include "model/vlm.h"

namespace vlsi {

/// Tokens, of prompts and answers, whose keys and values `cache_bytes` hold, in whole blocks; two blocks at least.
int64_t cache_room(const Vlm& model, int64_t cache_bytes);

/// The cache of `cache_bytes`. Error where the CPU has no such memory.
KvCache make_cache(const Vlm& model, int64_t cache_bytes);

/// EngineConfig's usual bytes, or more where the answer to one prompt of so many tokens needs them.
int64_t cache_bytes_of_one(const Vlm& model, int64_t num_prompt_tokens, const Decoding& decoding);

}  // namespace vlsi
