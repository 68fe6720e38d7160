#include "base/waiting_threads.h"

#include <algorithm>
#include <atomic>
#include <exception>
#include <mutex>
#include <thread>
#include <vector>

namespace vlsi {

void for_each_waiting(int64_t begin, int64_t end, int64_t num_threads, const std::function<void(int64_t)>& body) {
  std::atomic<int64_t> next = begin;
  std::mutex mutex;
  std::exception_ptr failure;
  const auto work = [&] {
    try {
      for (int64_t i = next++; i < end; i = next++) body(i);
    } catch (const std::exception&) {
      const std::lock_guard lock(mutex);
      if (!failure) failure = std::current_exception();
      next = end;
    }
  };
  {
    std::vector<std::jthread> others;
    for (int64_t i = 1; i < std::min(num_threads, end - begin); ++i) others.emplace_back(work);
    work();
  }
  if (failure) std::rethrow_exception(failure);
}

}  // namespace vlsi
