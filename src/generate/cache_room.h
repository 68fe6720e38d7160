// How many tokens a cache of so many bytes holds.
#pragma once

#include <cstdint>

#include "model/vlm.h"

namespace vlsi {

/// Tokens, of prompts and answers, whose keys and values `cache_bytes` hold, in whole blocks; two blocks at least.
int64_t cache_room(const Vlm& model, int64_t cache_bytes);

/// Bytes of the blocks that hold `num_tokens` tokens.
int64_t cache_bytes_of(const Vlm& model, int64_t num_tokens);

}  // namespace vlsi
