// Loops over threads of their own, for work that waits for others: a disk, a server, decoders that are no LibTorch's.
#pragma once

#include <cstdint>
#include <functional>

namespace vlsi {

/// Calls body(i) for every i from `begin` to `end` - 1, by this thread and others, `num_threads` in all or as many as
/// there are calls. After an exception no further call begins; the first one by time reaches the caller.
void for_each_waiting(int64_t begin, int64_t end, int64_t num_threads, const std::function<void(int64_t)>& body);

}  // namespace vlsi
