// What llama.cpp calls the families' weights, and which of their settings it reads.
#include "family/gguf_parts.h"

#include <map>
#include <set>

#include "base/json.h"
#include "tests/model/fixtures.h"

namespace vlsi {
namespace {

namespace fs = std::filesystem;

/// A configuration of a family that llama.cpp reads, with changes.
ModelConfig config_of(const std::string& family, const Json& changes = {}, const Json& of_tower = {}) {
  auto json = read_json(fixtures::directory(family + "/untied") / "config.json");
  if (family == "qwen2_5_vl")
    json["vision_config"].update(Json{{"window_size", 112}, {"fullatt_block_indexes", {1, 3}}});
  if (!changes.is_null()) json.update(changes);
  if (!of_tower.is_null()) json["vision_config"].update(of_tower);
  return parse_model_config(json, "config.json");
}

GgufParts parts_of(const ModelConfig& config) {
  return family_of(config).gguf_parts(config, fs::path(VLSI_TEST_DATA) / "tiny/tokenizer", "exporting");
}

class GgufNames : public testing::TestWithParam<std::string> {};

TEST_P(GgufNames, HasOneForEveryTensorOfTheFiles) {
  const auto config = config_of(GetParam());
  const auto parts = parts_of(config);
  std::set<std::string> names;
  for (const auto& [own, parameter] : make_vlm(config)->named_parameters()) {
    const auto rule = find_gguf_rule(parts.rules, own);
    const bool is_left_out = parts.picture.empty() && (own.starts_with("vision.") || own.starts_with("projector."));
    EXPECT_EQ(rule.has_value(), !is_left_out) << own;
    if (!rule) continue;
    for (const auto& name : rule->names) {
      EXPECT_TRUE(names.insert(name).second) << own << " and another are " << name;
      EXPECT_EQ(name.find('*'), name.npos) << name;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Families, GgufNames, testing::Values("qwen2_vl", "qwen2_5_vl", "qwen3_vl", "llava_onevision"),
                         [](const auto& name) { return name.param; });

TEST(GgufRules, PutTheNumberWhereTheStarIs) {
  const std::vector<GgufRule> rules{{"a.*.b.", {"x.*.", "y.*.z."}, GgufRule::Cut::kRows}, {"a.c", {"d"}}};
  const auto found = find_gguf_rule(rules, "a.12.b.weight");
  ASSERT_TRUE(found);
  EXPECT_EQ(found->names, (std::vector<std::string>{"x.12.weight", "y.12.z.weight"}));
  EXPECT_EQ(find_gguf_rule(rules, "a.c")->names.front(), "d");
  for (const char* other : {"a.c.weight", "a.x.b.weight", "a..b.weight", "a.1.c.weight", "b"}) {
    EXPECT_FALSE(find_gguf_rule(rules, other)) << other;
  }
}

TEST(GgufParts, CallTappedBlocksByTheirIndex) {
  const auto parts = parts_of(config_of("qwen3_vl"));
  EXPECT_EQ(find_gguf_rule(parts.rules, "projector.deepstack_merger_list.1.linear_fc1.bias")->names.front(),
            "v.deepstack.2.fc1.bias");
}

TEST(GgufParts, RefuseTowersThatLlamaCppHasNot) {
  const auto refused = [](const ModelConfig& config, const std::vector<std::string>& parts) {
    expect_error([&] { parts_of(config); }, parts);
  };
  refused(config_of("qwen2_vl", {}, {{"temporal_patch_size", 1}}), {"exporting", "temporal_patch_size is 1", "2"});
  refused(config_of("qwen2_vl", {}, {{"in_channels", 4}, {"in_chans", 4}}), {"in_channels is 4", "3"});
  refused(config_of("qwen2_5_vl", {}, {{"window_size", 64}}), {"window_size is 64", "112"});
  refused(config_of("qwen2_5_vl", {}, {{"fullatt_block_indexes", {0, 2}}}), {"fullatt_block_indexes", "block 1"});
}

}  // namespace
}  // namespace vlsi
