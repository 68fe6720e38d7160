#include "run/learning.h"

#include <gtest/gtest.h>

#include "base/json.h"
#include "family/family.h"

namespace vlsi {
namespace {

TEST(Learning, CountsPartsAndAdapters) {
  const auto model = make_vlm(
      parse_model_config(read_json(std::filesystem::path(VLSI_TEST_DATA) / "tiny" / "student.json"), "student.json"));
  model->add_lora(4, 4, {"q_proj", "down_proj"}, /*seed=*/1, "test");
  RunConfig config;
  config.interact.train = {"lora"};
  config.finetune.train = {"decoder", "projector"};
  const auto learning =
      learning_json(config, *model, {StepKind::kVerbalizeStudent, StepKind::kInteract, StepKind::kFinetune});

  // Two layers with two adapted maps: A and B of 32 -> 32 and of 64 -> 32.
  const int64_t adapters = 2 * (4 * (32 + 32) + 4 * (64 + 32));
  ASSERT_EQ(learning["steps"].size(), 2);
  const auto& interact = learning["steps"][0];
  EXPECT_EQ(interact["step"], "interact");
  ASSERT_EQ(interact["parts"].size(), 1);
  EXPECT_EQ(interact["parts"][0]["part"], "lora");
  EXPECT_EQ(interact["parts"][0]["tensors"], 8);
  EXPECT_EQ(interact["parts"][0]["parameters"], adapters);
  EXPECT_DOUBLE_EQ(interact["parts"][0]["share"].get<double>() * learning["parameters"].get<double>(),
                   static_cast<double>(adapters));
  EXPECT_EQ(learning["steps"][1]["parts"].size(), 2);
  EXPECT_EQ(learning["lora"], (OrderedJson{{"q_proj", 2}, {"down_proj", 2}}));

  const auto lines = learning_lines(learning);
  ASSERT_EQ(lines.size(), 3);
  EXPECT_NE(lines[0].find("interact trains lora, 8 tensors, 1280 parameters, "), std::string::npos) << lines[0];
  EXPECT_EQ(lines[2], "adapters by map: q_proj 2, down_proj 2");
}

}  // namespace
}  // namespace vlsi
