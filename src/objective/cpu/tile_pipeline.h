// The tasks of a pass over tiles, on all threads, which do not wait for each other at the end of a tile.
#pragma once

#include <cstdint>
#include <functional>

namespace vlsi {

/// A tile is made ready in parts; then every block has work to do on it. The tasks must not throw: other threads would
/// wait for ever.
struct TilePipeline {
  int64_t num_tiles, num_parts, num_blocks;
  std::function<void(int64_t tile, int64_t part)> prepare;
  std::function<void(int64_t tile, int64_t block)> work;
};

/// Runs every task once, on the threads of parallel_for. work(t, b) begins when all parts of tile t are prepared and
/// work(t - 1, b) is done; prepare(t, ·) when all work on tile t - 2 is: buffers for two tiles are enough. A thread
/// takes the next task as soon as it is free, so that one whose processor others use does fewer of them and stops
/// nobody.
void run_pipeline(const TilePipeline& tasks);

}  // namespace vlsi
