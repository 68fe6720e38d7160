// Positions of a sequence on the axes of rotary embeddings. (T tokens, A axes)
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace vlsi {

/// Positions of a sequence, built from its front. Text goes on by one on all axes. With three axes (M-RoPE: time,
/// height and width) the tokens of a picture or video all start from the same cursor and count frames, rows and
/// columns; what follows starts behind the largest of these.
class RotaryPositions {
 public:
  explicit RotaryPositions(int64_t num_axes) : axes_(static_cast<size_t>(num_axes)) {}

  void add_text(int64_t num_tokens);

  /// t frames of h x w tokens, i.e. of patches already merged. Three axes.
  void add_grid(int64_t t, int64_t h, int64_t w);

  /// One more than the highest position so far.
  int32_t next() const { return next_; }
  const std::vector<std::vector<int32_t>>& axes() const { return axes_; }  // [A][T]

 private:
  std::vector<std::vector<int32_t>> axes_;
  int32_t next_ = 0;
};

}  // namespace vlsi
