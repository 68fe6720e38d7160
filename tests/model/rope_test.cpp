// Rotary angles against values worked out by hand.
#include "model/rope.h"

#include <cmath>

#include "tests/model/fixtures.h"

namespace vlsi {
namespace {

using fixtures::difference;

TEST(RotaryTable, GivesEveryFrequencyTheAxisOfItsSection) {
  TextConfig config;
  config.hidden_size = 16;
  config.num_attention_heads = 2;  // head width 8: frequencies 1, 1/10, 1/100, 1/1000 of base 10^4
  config.rope_theta = 1e4;
  config.rope_sections = {1, 2, 1};
  const auto positions = at::tensor({0, 4, 7, 0, 5, 7, 0, 6, 7}, at::kLong).view({3, 3});  // time, height, width
  const auto table = rotary_table(positions, config, at::kFloat);

  const auto angles =
      at::tensor({0.0, 0.0, 0.0, 0.0, 4.0, 0.5, 0.05, 0.006, 7.0, 0.7, 0.07, 0.007}, at::kDouble).view({3, 4});
  // An angle of 7 has a rounding error of 4e-7 in float32.
  EXPECT_LE(difference(table.cos, angles.cos()), 1e-6);
  EXPECT_LE(difference(table.sin, angles.sin()), 1e-6);
}

TEST(RotaryTable, RoundsAfterTheAngle) {
  TextConfig config;
  config.hidden_size = 12;
  config.num_attention_heads = 1;
  config.rope_sections = {2, 2, 2};
  const auto positions = at::arange(300, at::kLong).expand({3, 300});
  const auto wide = rotary_table(positions, config, at::kFloat),
             narrow = rotary_table(positions, config, at::kBFloat16);
  EXPECT_TRUE(at::equal(narrow.cos, wide.cos.to(at::kBFloat16)));
  EXPECT_TRUE(at::equal(narrow.sin, wide.sin.to(at::kBFloat16)));
}

TEST(RotaryTable, OfOneSectionIsThePlainOne) {
  TextConfig plain, mrope;
  for (auto* config : {&plain, &mrope}) config->hidden_size = 16, config->num_attention_heads = 2;
  plain.rope_sections = {4};
  mrope.rope_sections = {1, 2, 1};
  const auto positions = at::arange(9, at::kLong);
  const auto one = rotary_table(positions.view({1, 9}), plain, at::kFloat),
             three = rotary_table(positions.expand({3, 9}), mrope, at::kFloat);
  EXPECT_TRUE(at::equal(one.cos, three.cos));
  EXPECT_TRUE(at::equal(one.sin, three.sin));
}

TEST(RotaryTable, InterleavedLetsTheAxesTakeTurnsWhileTheirSectionsLast) {
  TextConfig config;
  config.hidden_size = 16;
  config.num_attention_heads = 1;  // eight frequencies
  config.rope_theta = 1e4;
  config.rope_sections = {4, 3, 1};
  config.rope_is_interleaved = true;
  const auto positions = at::tensor({1, 10, 100}, at::kLong).view({3, 1});
  const auto table = rotary_table(positions, config, at::kFloat);
  // Frequencies 10^(-j/2); axes: time, height, width, time, height, time, time, height.
  const double at_axis[] = {1, 10, 100, 1, 10, 1, 1, 10};
  for (int64_t j = 0; j < 8; ++j) {
    EXPECT_NEAR(table.sin[0][j].item<double>(), std::sin(at_axis[j] * std::pow(10.0, -0.5 * j)), 1e-5) << j;
  }
}

}  // namespace
}  // namespace vlsi
