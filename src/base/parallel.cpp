#include "base/parallel.h"

#include <ATen/Parallel.h>

#include <algorithm>
#include <atomic>

#ifndef INTRA_OP_PARALLEL
#error "this file must be compiled with OpenMP, or every loop runs on one thread"
#endif

namespace vlsi {

void parallel_for(int64_t begin, int64_t end, int64_t grain, const std::function<void(int64_t, int64_t)>& body) {
  at::parallel_for(begin, end, grain, [&](int64_t first, int64_t last) { body(first, last); });
}

void parallel_for_taken(int64_t begin, int64_t end, int64_t grain, const std::function<void(int64_t, int64_t)>& body) {
  const int64_t workers = std::min(num_threads(), (end - begin + grain - 1) / grain);
  std::atomic<int64_t> next{begin};
  parallel_for(0, workers, 1, [&](int64_t, int64_t) {
    int64_t first = next.load(), last = first;
    while (first < end) {
      last = std::min(end, first + std::max(grain, (end - first) / (2 * workers)));
      if (!next.compare_exchange_weak(first, last)) continue;
      body(first, last);
      first = next.load();
    }
  });
}

int64_t num_threads() { return at::get_num_threads(); }

int64_t thread_index() { return at::get_thread_num(); }

}  // namespace vlsi
