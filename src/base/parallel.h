// Loops over the threads that LibTorch's own operations use.
#pragma once

#include <cstdint>
#include <functional>

namespace vlsi {

/// Calls body(first, last) for disjoint pieces that together are begin ... end, each of at least `grain` (but for the
/// last), on the threads of LibTorch's pool; in a parallel region already, or where one piece is enough, on this thread
/// alone. An exception of a body reaches the caller. (at::parallel_for is a template that does the same in a file that
/// GCC compiles with OpenMP; elsewhere it is a plain loop on one thread.)
void parallel_for(int64_t begin, int64_t end, int64_t grain, const std::function<void(int64_t, int64_t)>& body);

/// The same of pieces that a thread takes when it is done with the last, large ones first: for loops whose end waits
/// for the slower of unequal processors. Where the pieces are cut differs from call to call.
void parallel_for_taken(int64_t begin, int64_t end, int64_t grain, const std::function<void(int64_t, int64_t)>& body);

/// Threads that parallel_for may use, and which of them this is (0 outside of a loop).
int64_t num_threads();
int64_t thread_index();

}  // namespace vlsi
