#include "family/qwen2_5_vl/windows.h"

#include <algorithm>

#include "family/qwen_vision.h"

namespace vlsi {

WindowOrder window_order(std::span<const PictureShape> pictures, int64_t merge, int64_t side) {
  WindowOrder order{{}, {0}};
  int64_t first_cell = 0;
  for (const auto& picture : pictures) {
    const auto grid = grid_of(picture);
    const int64_t rows = grid.h / merge, columns = grid.w / merge;
    for (int64_t frame = 0; frame < grid.t; ++frame, first_cell += rows * columns) {
      for (int64_t top = 0; top < rows; top += side) {
        for (int64_t left = 0; left < columns; left += side) {
          for (int64_t row = top; row < std::min(top + side, rows); ++row) {
            for (int64_t column = left; column < std::min(left + side, columns); ++column) {
              order.cells.push_back(first_cell + row * columns + column);
            }
          }
          order.starts.push_back(std::ssize(order.cells) * merge * merge);
        }
      }
    }
  }
  return order;
}

}  // namespace vlsi
