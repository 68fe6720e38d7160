// M-RoPE positions: every token has one on the time, the height and the width axis. (T tokens)
#pragma once

#include <cstdint>
#include <vector>

namespace vlsi {

/// Positions of a sequence, built from its front. Text goes on by one on all axes; the tokens of a picture or video all
/// start from the same cursor and count frames, rows and columns; what follows starts behind the largest of these.
class MropePositions {
 public:
  void add_text(int64_t num_tokens);

  /// t frames of h x w tokens, i.e. of patches already merged.
  void add_grid(int64_t t, int64_t h, int64_t w);

  /// One more than the highest position so far.
  int32_t next() const { return next_; }
  const std::vector<std::vector<int32_t>>& axes() const { return axes_; }  // [3][T]

 private:
  std::vector<std::vector<int32_t>> axes_ = std::vector<std::vector<int32_t>>(3);
  int32_t next_ = 0;
};

}  // namespace vlsi
