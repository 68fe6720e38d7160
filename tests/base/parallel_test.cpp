#include "base/parallel.h"

#include <ATen/Parallel.h>
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <mutex>
#include <set>
#include <stdexcept>
#include <thread>
#include <vector>

namespace vlsi {
namespace {

TEST(Parallel, VisitsEveryIndexOnce) {
  for (const auto loop : {parallel_for, parallel_for_taken}) {
    std::vector<std::atomic<int>> visits(1000);
    loop(0, 1000, 7, [&](int64_t first, int64_t last) {
      for (int64_t i = first; i < last; ++i) ++visits[i];
    });
    for (const auto& count : visits) EXPECT_EQ(count, 1);
    loop(5, 5, 1, [](int64_t, int64_t) { FAIL() << "an empty range has no pieces"; });
  }
}

TEST(Parallel, LetsAThreadThatIsDoneTakeWhatASlowerOneHasNot) {
  const int before = at::get_num_threads();
  at::set_num_threads(2);
  std::atomic<int64_t> done = 0;
  parallel_for_taken(0, 64, 1, [&](int64_t first, int64_t last) {
    // The thread with the first piece waits until the other has done all else.
    for (int tries = 0; first == 0 && done < 64 - last && tries < 10000; ++tries) {
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    if (first == 0) EXPECT_EQ(done, 64 - last);
    done += last - first;
  });
  EXPECT_EQ(done, 64);
  at::set_num_threads(before);
}

TEST(Parallel, UsesEveryThreadOfLibTorchsPool) {
  const int before = at::get_num_threads();
  at::set_num_threads(3);
  std::mutex mutex;
  std::set<std::thread::id> threads;
  parallel_for(0, 3, 1, [&](int64_t, int64_t) {
    const std::lock_guard lock(mutex);
    threads.insert(std::this_thread::get_id());
  });
  EXPECT_EQ(num_threads(), 3);
  EXPECT_EQ(threads.size(), 3u);
  at::set_num_threads(before);
}

TEST(Parallel, GivesAnExceptionOfAnyThreadToTheCaller) {
  EXPECT_THROW(parallel_for(0, 8, 1,
                            [](int64_t, int64_t last) {
                              if (last == 8) throw std::runtime_error("last");
                            }),
               std::runtime_error);
}

}  // namespace
}  // namespace vlsi
