#include "objective/cpu/tile_pipeline.h"

#include <ATen/Parallel.h>
#include <gtest/gtest.h>

#include <atomic>
#include <thread>
#include <vector>

#include "base/parallel.h"

namespace vlsi {
namespace {

/// Runs a pipeline whose tasks check what must be done before them, and counts them.
class CheckedRun {
 public:
  CheckedRun(int64_t num_tiles, int64_t num_parts, int64_t num_blocks)
      : num_parts_(num_parts), num_blocks_(num_blocks), parts_(num_tiles), blocks_(num_tiles), tiles_(num_blocks) {
    run_pipeline({num_tiles, num_parts, num_blocks, [&](int64_t tile, int64_t) { prepare(tile); },
                  [&](int64_t tile, int64_t block) { work(tile, block); }});
  }

  void expect_all_done_in_order() const {
    EXPECT_EQ(mistakes_, 0);
    for (const auto& count : parts_) EXPECT_EQ(count, num_blocks_ > 0 ? num_parts_ : 0);
    for (const auto& count : blocks_) EXPECT_EQ(count, num_blocks_);
    for (const auto& count : tiles_) EXPECT_EQ(count, static_cast<int64_t>(parts_.size()));
  }

 private:
  void prepare(int64_t tile) {
    if (tile >= 2 && blocks_[tile - 2] != num_blocks_) ++mistakes_;
    std::this_thread::yield();
    ++parts_[tile];
  }
  void work(int64_t tile, int64_t block) {
    if (parts_[tile] != num_parts_ || tiles_[block] != tile) ++mistakes_;
    std::this_thread::yield();
    ++tiles_[block];
    ++blocks_[tile];
  }

  int64_t num_parts_, num_blocks_;
  std::vector<std::atomic<int64_t>> parts_, blocks_,
      tiles_;  // done: parts of a tile, blocks of a tile, tiles of a block
  std::atomic<int> mistakes_ = 0;
};

TEST(TilePipeline, RunsEveryTaskOnceAndAfterThoseItNeeds) {
  const int before = at::get_num_threads();
  for (const int threads : {1, 2, 3, 7}) {
    at::set_num_threads(threads);
    for (const int64_t num_tiles : {0, 1, 2, 25}) {
      for (const int64_t num_parts : {0, 1, 3}) {
        for (const int64_t num_blocks : {0, 1, 2, 5}) {
          SCOPED_TRACE(testing::Message() << threads << " threads, " << num_tiles << " tiles of " << num_parts
                                          << " parts, " << num_blocks << " blocks");
          CheckedRun(num_tiles, num_parts, num_blocks).expect_all_done_in_order();
        }
      }
    }
  }
  at::set_num_threads(before);
}

TEST(TilePipeline, RunsOnOneThreadInsideAParallelLoop) {
  parallel_for(0, 4, 1, [](int64_t first, int64_t last) {
    for (; first < last; ++first) CheckedRun(6, 2, 3).expect_all_done_in_order();
  });
}

}  // namespace
}  // namespace vlsi
