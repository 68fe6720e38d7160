// The windows of Qwen2.5-VL's attention: an order of the patches in which each window's are neighbours.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "data/sample.h"

namespace vlsi {

struct WindowOrder {
  std::vector<int64_t> cells;   // merged patches in the order of the windows, row after row in each
  std::vector<int64_t> starts;  // of the windows, in patches, and the end
};

/// Windows of `side` x `side` merged patches, row after row of each frame; at the right and bottom edges they are as
/// large as the picture leaves them.
WindowOrder window_order(std::span<const PictureShape> pictures, int64_t merge, int64_t side);

}  // namespace vlsi
