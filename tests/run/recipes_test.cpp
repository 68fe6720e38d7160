// The recipes' files: the paper's settings, and models of the hub's sizes.
#include <gtest/gtest.h>

#include "family/family.h"
#include "model/config.h"
#include "run/config.h"

namespace vlsi {
namespace {

const std::filesystem::path kRecipes = VLSI_SOURCE_DIR "/runs/qwen2vl";

TEST(Recipes, HaveThePapersSettings) {
  const std::string data = std::string("data.train=[{path: ") + VLSI_TEST_DATA + "/tiny/train.json}]";
  for (const auto& [name, num_teacher_layers, batch_tokens] :
       {std::tuple("2b-from-7b.yaml", 7, 4096), std::tuple("2b-from-72b.yaml", 20, 2048),
        std::tuple("7b-from-72b.yaml", 20, 2048)}) {
    SCOPED_TRACE(name);
    const auto config =
        load_run_config(kRecipes / name, {"out=run", "teacher.model=teacher", "student.model=student", data});
    EXPECT_NO_THROW(check(config, name));
    EXPECT_EQ(config.student.layers, (std::vector<int64_t>{2, 6, 10, 14, 18, 22, 26}));
    ASSERT_EQ(std::ssize(config.teacher.layers), num_teacher_layers);
    for (int64_t i = 0; i < num_teacher_layers; ++i) EXPECT_EQ(config.teacher.layers[i], 2 + 4 * i);
    EXPECT_EQ(config.student.lora.rank, 64);
    EXPECT_EQ(config.student.lora.alpha, 64);
    EXPECT_EQ(config.data.batch_tokens, batch_tokens);
    for (const auto* optimizer :
         {&config.verbalize.optimizer, &config.interact.optimizer, &config.finetune.optimizer}) {
      EXPECT_EQ(optimizer->learning_rate, 1e-4);
      EXPECT_EQ(optimizer->final_learning_rate, 1e-6);
      EXPECT_EQ(optimizer->accumulate, 16);
    }
    EXPECT_EQ(config.interact.train, std::vector<std::string>{"lora"});
    EXPECT_EQ(config.finetune.train, std::vector<std::string>{"lora"});
    EXPECT_TRUE(config.activation_checkpointing);
    EXPECT_EQ(config.teacher.residency, Residency::kStreamed);
  }
}

TEST(Recipes, DescribeModelsOfTheHubsSizes) {
  const auto size = [](const char* name) {
    const auto path = kRecipes / name;
    return num_values(*make_vlm(parse_model_config(read_json(path), path.string())));
  };
  EXPECT_EQ(size("model-2b.json"), 2208985600.0);
  EXPECT_EQ(size("model-7b.json"), 8291375616.0);
  EXPECT_EQ(size("model-72b.json"), 73405560320.0);
}

}  // namespace
}  // namespace vlsi
