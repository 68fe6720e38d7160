#include "objective/cpu/tile_pipeline.h"

#include <atomic>
#include <vector>

#include "base/parallel.h"

namespace vlsi {
namespace {

/// How many tasks of a kind are done.
class Count {
 public:
  void add() {
    done_.fetch_add(1, std::memory_order_release);
    done_.notify_all();
  }
  void wait_for(int64_t number) const {
    for (int seen = done_.load(std::memory_order_acquire); seen < number;
         seen = done_.load(std::memory_order_acquire)) {
      done_.wait(seen, std::memory_order_acquire);
    }
  }

 private:
  std::atomic<int> done_ = 0;
};

}  // namespace

void run_pipeline(const TilePipeline& tasks) {
  if (tasks.num_blocks == 0) return;
  std::vector<Count> parts_of_tile(static_cast<size_t>(tasks.num_tiles)), blocks_of_tile(parts_of_tile.size());
  std::vector<Count> tiles_of_block(static_cast<size_t>(tasks.num_blocks));
  const auto prepare = [&](int64_t tile, int64_t part) {
    if (tile >= tasks.num_tiles) return;
    if (tile >= 2) blocks_of_tile[tile - 2].wait_for(tasks.num_blocks);
    tasks.prepare(tile, part);
    parts_of_tile[tile].add();
  };
  const auto work = [&](int64_t tile, int64_t block) {
    parts_of_tile[tile].wait_for(tasks.num_parts);
    tiles_of_block[block].wait_for(tile);
    tasks.work(tile, block);
    tiles_of_block[block].add();
    blocks_of_tile[tile].add();
  };

  // All tasks in one line, in an order in which each stands behind those that it waits for, so that the first one that
  // is not done never waits: the first tile's parts; then of each tile half of the blocks, the next tile's parts, and
  // the other blocks.
  const int64_t half = tasks.num_blocks / 2, tasks_per_tile = tasks.num_blocks + tasks.num_parts;
  std::atomic<int64_t> next = 0;
  parallel_for(0, num_threads(), 1, [&](int64_t, int64_t) {
    for (;;) {
      const int64_t task = next++ - tasks.num_parts;
      if (task < 0) {
        prepare(0, task + tasks.num_parts);
        continue;
      }
      const int64_t tile = task / tasks_per_tile, step = task % tasks_per_tile;
      if (tile >= tasks.num_tiles) return;
      if (step < half) {
        work(tile, step);
      } else if (step < half + tasks.num_parts) {
        prepare(tile + 1, step - half);
      } else {
        work(tile, step - tasks.num_parts);
      }
    }
  });
}

}  // namespace vlsi
