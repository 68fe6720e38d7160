// What stored tensors and modules are called here, and back.
#include "family/weight_names.h"

#include <gtest/gtest.h>

#include <vector>

#include "family/family.h"

namespace vlsi {
namespace {

struct Named {
  std::string own, gen1, gen2;
};

TEST(WeightNames, OfEveryNamingAreTurnedIntoOwnOnesAndBack) {
  const auto& family = *families().find("qwen2_vl");
  const std::vector<Named> all{
      {"decoder.layers.0.self_attn.q_proj.weight", "model.layers.0.self_attn.q_proj.weight",
       "model.language_model.layers.0.self_attn.q_proj.weight"},
      {"decoder.norm.weight", "model.norm.weight", "model.language_model.norm.weight"},
      {"embeddings.weight", "model.embed_tokens.weight", "model.language_model.embed_tokens.weight"},
      {"projector.mlp.0.bias", "visual.merger.mlp.0.bias", "model.visual.merger.mlp.0.bias"},
      {"vision.blocks.1.attn.qkv", "visual.blocks.1.attn.qkv", "model.visual.blocks.1.attn.qkv"},
      {"head.weight", "lm_head.weight", "lm_head.weight"},
      {"head", "lm_head", "lm_head"}};
  for (const auto& [own, gen1, gen2] : all) {
    EXPECT_EQ(family.own_name(gen1), own);
    EXPECT_EQ(family.own_name(gen2), own);
    EXPECT_EQ(stored_name(family.namings[0], own), gen1);
    EXPECT_EQ(stored_name(family.namings[1], own), gen2);
    EXPECT_EQ(family.written_name(own), gen1);
  }
}

TEST(WeightNames, KnowNoOthers) {
  const auto& family = *families().find("qwen2_vl");
  for (const char* name : {"model", "layers.0.mlp", "lm_head_2.weight", "visuals.x"}) {
    EXPECT_EQ(family.own_name(name), std::nullopt) << name;
  }
}

TEST(WeightNames, KnowWhatIsNotNeeded) {
  const WeightNames names{"some", {{"eyes.head.", ""}, {"eyes.", "vision."}, {"end", "projector.end"}}};
  EXPECT_EQ(own_name(names, "eyes.head.weight"), "");
  EXPECT_EQ(own_name(names, "eyes.head"), "");
  EXPECT_EQ(own_name(names, "eyes.map"), "vision.map");
  EXPECT_EQ(own_name(names, "end"), "projector.end");
  EXPECT_EQ(own_name(names, "en"), std::nullopt);
  EXPECT_EQ(stored_name(names, "vision.head.weight"), "eyes.head.weight");
  EXPECT_EQ(stored_name(names, "projector.end"), "end");
}

}  // namespace
}  // namespace vlsi
