#include "base/parallel.h"

#include <ATen/Parallel.h>

#ifndef INTRA_OP_PARALLEL
#error "this file must be compiled with OpenMP, or every loop runs on one thread"
#endif

namespace vlsi {

void parallel_for(int64_t begin, int64_t end, int64_t grain, const std::function<void(int64_t, int64_t)>& body) {
  at::parallel_for(begin, end, grain, [&](int64_t first, int64_t last) { body(first, last); });
}

int64_t num_threads() { return at::get_num_threads(); }

int64_t thread_index() { return at::get_thread_num(); }

}  // namespace vlsi
