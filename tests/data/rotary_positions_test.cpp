#include "data/rotary_positions.h"

#include <gtest/gtest.h>

namespace vlsi {
namespace {

using Axes = std::vector<std::vector<int32_t>>;

TEST(RotaryPositions, FollowOnePicture) {
  RotaryPositions positions(3);
  positions.add_text(4);
  positions.add_grid(1, 2, 3);
  positions.add_text(3);
  const Axes expected{{{0, 1, 2, 3, 4, 4, 4, 4, 4, 4, 7, 8, 9},
                       {0, 1, 2, 3, 4, 4, 4, 5, 5, 5, 7, 8, 9},
                       {0, 1, 2, 3, 4, 5, 6, 4, 5, 6, 7, 8, 9}}};
  EXPECT_EQ(positions.axes(), expected);
  EXPECT_EQ(positions.next(), 10);
}

TEST(RotaryPositions, FollowTwoPictures) {
  RotaryPositions positions(3);
  positions.add_text(2);
  positions.add_grid(1, 2, 2);
  positions.add_text(2);
  positions.add_grid(1, 1, 3);
  positions.add_text(2);
  const Axes expected{{{0, 1, 2, 2, 2, 2, 4, 5, 6, 6, 6, 9, 10},
                       {0, 1, 2, 2, 3, 3, 4, 5, 6, 6, 6, 9, 10},
                       {0, 1, 2, 3, 2, 3, 4, 5, 6, 7, 8, 9, 10}}};
  EXPECT_EQ(positions.axes(), expected);
  EXPECT_EQ(positions.next(), 11);
}

TEST(RotaryPositions, CountTheFramesOfAVideo) {
  RotaryPositions positions(3);
  positions.add_text(2);
  positions.add_grid(3, 2, 2);
  positions.add_text(2);
  const Axes expected{{{0, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4, 5, 6},
                       {0, 1, 2, 2, 3, 3, 2, 2, 3, 3, 2, 2, 3, 3, 5, 6},
                       {0, 1, 2, 3, 2, 3, 2, 3, 2, 3, 2, 3, 2, 3, 5, 6}}};
  EXPECT_EQ(positions.axes(), expected);
  EXPECT_EQ(positions.next(), 7);
}

TEST(RotaryPositions, CountOnOneAxis) {
  RotaryPositions positions(1);
  positions.add_text(3);
  EXPECT_EQ(positions.axes(), (Axes{{0, 1, 2}}));
  EXPECT_EQ(positions.next(), 3);
}

}  // namespace
}  // namespace vlsi
