#include "data/rotary_positions.h"

#include <algorithm>

namespace vlsi {

void RotaryPositions::add_text(int64_t num_tokens) {
  for (int64_t i = 0; i < num_tokens; ++i, ++next_) {
    for (auto& axis : axes_) axis.push_back(next_);
  }
}

void RotaryPositions::add_grid(int64_t t, int64_t h, int64_t w) {
  for (int64_t frame = 0; frame < t; ++frame) {
    for (int64_t row = 0; row < h; ++row) {
      for (int64_t column = 0; column < w; ++column) {
        axes_[0].push_back(next_ + static_cast<int32_t>(frame));
        axes_[1].push_back(next_ + static_cast<int32_t>(row));
        axes_[2].push_back(next_ + static_cast<int32_t>(column));
      }
    }
  }
  next_ += static_cast<int32_t>(std::max({t, h, w}));
}

}  // namespace vlsi
