// What the process asks of its surroundings before any work starts.
#pragma once

namespace vlsi {

/// Keeps freed memory for the next tensor instead of giving it back to the kernel page by page: training frees and
/// takes the same sizes again and again.
void keep_freed_memory();

}  // namespace vlsi
