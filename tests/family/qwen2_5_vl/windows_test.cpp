// Expected values: tests/oracle/make_vision_fixture.py.
#include "family/qwen2_5_vl/windows.h"

#include <gtest/gtest.h>

#include "base/json.h"
#include "family/qwen_vision.h"

namespace vlsi {
namespace {

TEST(WindowOrder, AndItsSegmentsAreTheReferences) {
  const Json cases = read_json(VLSI_TEST_DATA "/qwen2_5_vl/windows.json");
  constexpr int64_t kMerge = 2;
  for (const Json& expected : cases) {
    const int64_t side = expected["window_size"].get<int64_t>() / kMerge / expected["patch_size"].get<int64_t>();
    SCOPED_TRACE(expected["grids"].dump() + ", windows of " + std::to_string(side));
    std::vector<PictureShape> pictures;
    int64_t num_patches = 0;
    for (const Json& grid : expected["grids"]) {
      pictures.push_back(shape_of({grid[0], grid[1], grid[2]}, kMerge));
      num_patches += pictures.back().num_patches;
    }
    const auto order = window_order(pictures, kMerge, side);
    EXPECT_EQ(order.cells, expected["index"].get<std::vector<int64_t>>());
    EXPECT_EQ(order.starts, expected["segments"].get<std::vector<int64_t>>());
    EXPECT_EQ(frame_starts(pictures, num_patches), expected["frames"].get<std::vector<int64_t>>());
  }
}

}  // namespace
}  // namespace vlsi
