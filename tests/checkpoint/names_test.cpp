// The two generations of tensor names, there and back.
#include "checkpoint/names.h"

#include <gtest/gtest.h>

#include <vector>

namespace vlsi {
namespace {

TEST(Names, OfBothGenerationsAreTurnedIntoEachOther) {
  const std::vector<std::pair<std::string, std::string>> pairs{
      {"model.layers.0.self_attn.q_proj.weight", "model.language_model.layers.0.self_attn.q_proj.weight"},
      {"model.norm.weight", "model.language_model.norm.weight"},
      {"visual.merger.mlp.0.bias", "model.visual.merger.mlp.0.bias"},
      {"lm_head.weight", "lm_head.weight"}};
  for (const auto& [older, newer] : pairs) {
    EXPECT_EQ(gen1_name(newer), older);
    EXPECT_EQ(gen1_name(older), older);
    EXPECT_EQ(gen2_name(older), newer);
    EXPECT_EQ(gen2_name(newer), newer);
  }
}

}  // namespace
}  // namespace vlsi
