#include "base/parallel.h"

#include <ATen/Parallel.h>
#include <c10/util/ParallelGuard.h>

#include <algorithm>
#include <atomic>
#include <exception>

// What GCC makes of `#pragma omp parallel`, by its names in the library that LibTorch brings: other compilers call
// another library's, which would bring a second pool of threads.
extern "C" void GOMP_parallel(void (*body)(void*), void* data, unsigned num_threads, unsigned flags);
extern "C" int omp_get_num_threads();
extern "C" int omp_get_thread_num();

namespace vlsi {
namespace {

using Body = std::function<void(int64_t, int64_t)>;

/// Calls the body as the thread of that number, inside a parallel region.
void run_as(int64_t thread, const Body& body, int64_t first, int64_t last) {
  const at::internal::ThreadIdGuard number(static_cast<int>(thread));
  const c10::ParallelGuard inside(true);
  body(first, last);
}

/// A loop that every thread of the pool runs a piece of.
struct Loop {
  const int64_t begin, end, grain;
  const Body& body;
  std::atomic_flag failed = ATOMIC_FLAG_INIT;
  std::exception_ptr error = nullptr;  // of the first that failed

  void run_piece_of_this_thread() noexcept {
    const int64_t threads =
        std::min<int64_t>(omp_get_num_threads(), at::divup(end - begin, std::max<int64_t>(grain, 1)));
    const int64_t size = at::divup(end - begin, threads), thread = omp_get_thread_num();
    const int64_t first = begin + thread * size;
    if (first >= end) return;
    try {
      run_as(thread, body, first, std::min(end, first + size));
    } catch (...) {
      if (!failed.test_and_set()) error = std::current_exception();
    }
  }
};

}  // namespace

void parallel_for(int64_t begin, int64_t end, int64_t grain, const Body& body) {
  if (begin >= end) return;
  at::internal::lazy_init_num_threads();
  if (end - begin <= std::max<int64_t>(grain, 1) || at::in_parallel_region() || at::get_num_threads() == 1) {
    run_as(0, body, begin, end);
    return;
  }
  Loop loop{begin, end, grain, body};
  GOMP_parallel([](void* data) { static_cast<Loop*>(data)->run_piece_of_this_thread(); }, &loop, 0, 0);
  if (loop.error) std::rethrow_exception(loop.error);
}

void parallel_for_taken(int64_t begin, int64_t end, int64_t grain, const Body& body) {
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
