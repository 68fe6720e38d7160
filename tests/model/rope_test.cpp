// Rotary angles against values worked out by hand.
#include "model/rope.h"

#include "tests/model/fixtures.h"

namespace vlsi {
namespace {

using fixtures::difference;

TEST(MropeTable, GivesEveryFrequencyTheAxisOfItsSection) {
  TextConfig config;
  config.hidden_size = 16;
  config.num_attention_heads = 2;  // head width 8: frequencies 1, 1/10, 1/100, 1/1000 of base 10^4
  config.rope_theta = 1e4;
  config.mrope_section = {1, 2, 1};
  const auto positions = at::tensor({0, 4, 7, 0, 5, 7, 0, 6, 7}, at::kLong).view({3, 3});  // time, height, width
  const auto table = mrope_table(positions, config, at::kFloat);

  const auto angles =
      at::tensor({0.0, 0.0, 0.0, 0.0, 4.0, 0.5, 0.05, 0.006, 7.0, 0.7, 0.07, 0.007}, at::kDouble).view({3, 4});
  // An angle of 7 has a rounding error of 4e-7 in float32.
  EXPECT_LE(difference(table.cos, angles.cos()), 1e-6);
  EXPECT_LE(difference(table.sin, angles.sin()), 1e-6);
}

TEST(MropeTable, RoundsAfterTheAngle) {
  TextConfig config;
  config.hidden_size = 12;
  config.num_attention_heads = 1;
  config.mrope_section = {2, 2, 2};
  const auto positions = at::arange(300, at::kLong).expand({3, 300});
  const auto wide = mrope_table(positions, config, at::kFloat), narrow = mrope_table(positions, config, at::kBFloat16);
  EXPECT_TRUE(at::equal(narrow.cos, wide.cos.to(at::kBFloat16)));
  EXPECT_TRUE(at::equal(narrow.sin, wide.sin.to(at::kBFloat16)));
}

TEST(VisionRotaryTable, ListsRowsAndColumnsInMergeBlocksForEveryFrame) {
  VisionConfig config;
  config.embed_dim = 8;
  config.num_heads = 1;  // head width 8: two frequencies, 1 and 1/100, for the row and again for the column
  config.spatial_merge_size = 2;
  const auto table = vision_rotary_table({{2, 2, 4}, {1, 2, 2}}, config, at::TensorOptions(at::kFloat));
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
