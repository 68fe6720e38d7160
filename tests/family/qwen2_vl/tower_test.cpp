// The tower's rotary angles against values worked out by hand; the tower itself is compared in
// tests/model/vlm_test.cpp.
#include "family/qwen_vision.h"

#include "tests/model/fixtures.h"

namespace vlsi {
namespace {

using fixtures::difference;

TEST(VisionRotaryTable, ListsRowsAndColumnsInMergeBlocksForEveryFrame) {
  // Head width 8: two frequencies, 1 and 1/100, for the row and again for the column.
  const std::vector<PictureShape> pictures{shape_of({2, 2, 4}, 2), shape_of({1, 2, 2}, 2)};
  const auto table = vision_rotary_table(pictures, /*merge=*/2, /*head_dim=*/8, at::TensorOptions(at::kFloat));
  ASSERT_EQ(table.cos.sizes(), at::IntArrayRef({20, 4}));

  const std::vector<std::pair<int, int>> frame{{0, 0}, {0, 1}, {1, 0}, {1, 1}, {0, 2}, {0, 3}, {1, 2}, {1, 3}};
  std::vector<std::pair<int, int>> places(frame);
  places.insert(places.end(), frame.begin(), frame.end());
  places.insert(places.end(), frame.begin(), frame.begin() + 4);
  for (size_t i = 0; i < places.size(); ++i) {
    const auto [row, column] = places[i];
    const auto angles = at::tensor({row * 1.0, row * 0.01, column * 1.0, column * 0.01}, at::kDouble);
    EXPECT_LE(difference(table.cos[static_cast<int64_t>(i)], angles.cos()), 1e-6) << "patch " << i;
    EXPECT_LE(difference(table.sin[static_cast<int64_t>(i)], angles.sin()), 1e-6) << "patch " << i;
  }
}

}  // namespace
}  // namespace vlsi
