// The recipes' files: the paper's settings, and models of the hub's sizes.
#include <gtest/gtest.h>

#include <map>

#include "family/family.h"
#include "model/config.h"
#include "run/config.h"

namespace vlsi {
namespace {

const std::filesystem::path kRecipes = VLSI_SOURCE_DIR "/runs";

struct Recipe {
  const char* file;
  std::vector<int64_t> student_layers, teacher_layers;
  int64_t batch_tokens, sample_tokens;
};

/// first, first + 4, ..., last
std::vector<int64_t> every_fourth(int64_t first, int64_t last) {
  std::vector<int64_t> layers;
  for (int64_t layer = first; layer <= last; layer += 4) layers.push_back(layer);
  return layers;
}

std::vector<Recipe> recipes() {
  return {
      {"qwen2vl/2b-from-7b.yaml", every_fourth(2, 26), every_fourth(2, 26), 4096, 4096},
      {"qwen2vl/2b-from-72b.yaml", every_fourth(2, 26), every_fourth(2, 78), 2048, 2048},
      {"qwen2vl/7b-from-72b.yaml", every_fourth(2, 26), every_fourth(2, 78), 2048, 2048},
      {"llava-ov/0.5b-from-7b.yaml", {4, 12, 20}, {4, 12, 20}, 16384, 8192},
      {"llava-ov/0.5b-from-72b.yaml", {4, 12, 20}, {10, 30, 50, 70}, 8192, 8192},
      {"llava-ov/7b-from-72b.yaml", {4, 12, 20}, {10, 30, 50, 70}, 8192, 8192},
      {"qwen2.5-vl/3b-from-7b.yaml", {3, 8, 13, 18, 23, 28, 33}, every_fourth(2, 26), 4096, 4096},
      {"qwen3-vl/2b-from-8b.yaml", every_fourth(2, 26), every_fourth(2, 34), 4096, 4096},
  };
}

TEST(Recipes, HaveThePapersSettings) {
  const std::string data = std::string("data.train=[{path: ") + VLSI_TEST_DATA + "/tiny/train.json}]";
  for (const auto& recipe : recipes()) {
    SCOPED_TRACE(recipe.file);
    const auto config =
        load_run_config(kRecipes / recipe.file, {"out=run", "teacher.model=teacher", "student.model=student", data});
    EXPECT_NO_THROW(check(config, recipe.file));
    EXPECT_EQ(config.student.layers, recipe.student_layers);
    EXPECT_EQ(config.teacher.layers, recipe.teacher_layers);
    EXPECT_EQ(config.student.lora.rank, 64);
    EXPECT_EQ(config.student.lora.alpha, 64);
    EXPECT_EQ(config.data.batch_tokens, recipe.batch_tokens);
    EXPECT_EQ(config.data.sample_tokens, recipe.sample_tokens);
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
  const std::map<std::string, double> sizes{
      {"qwen2vl/model-2b.json", 2'208'985'600},    {"qwen2vl/model-7b.json", 8'291'375'616},
      {"qwen2vl/model-72b.json", 73'405'560'320},  {"llava-ov/model-0.5b.json", 893'675'552},
      {"llava-ov/model-7b.json", 8'030'807'584},   {"llava-ov/model-72b.json", 73'181'570'592},
      {"qwen2.5-vl/model-3b.json", 3'754'622'976}, {"qwen2.5-vl/model-7b.json", 8'292'166'656},
      {"qwen3-vl/model-2b.json", 2'127'532'032},   {"qwen3-vl/model-8b.json", 8'767'123'696}};
  for (const auto& [name, size] : sizes) {
    const auto path = kRecipes / name;
    EXPECT_EQ(num_values(*make_vlm(parse_model_config(read_json(path), path.string()))), size) << name;
  }
}

}  // namespace
}  // namespace vlsi
