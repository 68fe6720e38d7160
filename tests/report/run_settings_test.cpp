// What the report takes from config.yaml.
#include "report/run_settings.h"

#include "tests/report/run_files.h"

namespace vlsi {
namespace {

using namespace report_test;

RunSettings settings_with(const std::vector<std::string>& overrides) {
  const Folder folder;
  write_config(folder / "run", overrides);
  return read_run_settings(folder / "run" / "config.yaml");
}

std::vector<std::string> keys_of(const RunSettings& settings) {
  std::vector<std::string> keys;
  for (const auto& difference : settings.differences) keys.push_back(difference.key);
  return keys;
}

TEST(RunSettings, OfADefaultConfigurationDifferInTheRunsFolderAlone) {
  EXPECT_EQ(keys_of(settings_with({})), std::vector<std::string>{"out"});
}

TEST(RunSettings, NameWhatWasSetAndNotWhatStepsInherit) {
  const auto settings =
      settings_with({"seed=7", "optimizer.learning_rate=0.5", "data.batch_tokens=100", "interact.data.batch_tokens=50",
                     "interact.matching.rule=uniform", "verbalize.data.shuffle=false"});
  EXPECT_EQ(keys_of(settings), (std::vector<std::string>{"out", "seed", "data.batch_tokens", "optimizer.learning_rate",
                                                         "verbalize.data.shuffle", "interact.matching.rule",
                                                         "interact.data.batch_tokens"}));
  EXPECT_EQ(settings.seed, "7");
  for (const auto& difference : settings.differences) {
    if (difference.key == "interact.matching.rule") {
      EXPECT_EQ(difference.value, "uniform");
      EXPECT_EQ(difference.default_value, "multinomial");
    }
  }
}

TEST(RunSettings, NameTheMethod) {
  const std::string no_verbalize = "verbalize.iterations=0", no_interact = "interact.iterations=0",
                    no_finetune = "finetune.iterations=0";
  EXPECT_EQ(settings_with({}).method, "VLsI");
  EXPECT_EQ(settings_with({no_finetune}).method, "VLsI without step 3");
  EXPECT_EQ(settings_with({"interact.intermediate_loss=none"}).method, "last-layer distillation");
  EXPECT_EQ(settings_with({"interact.intermediate_loss=ce", "interact.last_loss=none"}).method,
            "VLsI with ce between layers without the last layer");
  EXPECT_EQ(settings_with({"interact.last_loss=ce"}).method, "VLsI with ce at the last layer");
  EXPECT_EQ(settings_with({"interact.head=false", "interact.intermediate_loss=l2"}).method,
            "VLsI with l2 between layers without the language head");
  EXPECT_EQ(settings_with({no_verbalize, no_interact}).method, "fine-tuning");
  EXPECT_EQ(settings_with({no_interact, no_finetune}).method, "verbalization");
}

TEST(RunSettings, FindModelsLayersAndTheLastStepsData) {
  const auto settings =
      settings_with({"student.model=s", "student.layers=[1, 3]", "teacher.model=t", "teacher.layers=[2, 4, 6]",
                     "student.verbalizers=v", "data.train=[{path: a.json, images: pictures}]",
                     "finetune.data.train=[{path: b.json}]", "finetune.data.validation=[{path: c.json, images: x}]"});
  EXPECT_EQ(settings.config.student.model, "s");
  EXPECT_EQ(settings.config.teacher.model, "t");
  EXPECT_EQ(settings.config.student.verbalizers, "v");
  EXPECT_EQ(settings.config.student.layers, (std::vector<int64_t>{1, 3}));
  EXPECT_EQ(settings.config.teacher.layers, (std::vector<int64_t>{2, 4, 6}));
  ASSERT_EQ(settings.data.train.size(), 1U);
  EXPECT_EQ(settings.data.train[0].path, "b.json");
  ASSERT_EQ(settings.data.validation.size(), 1U);
  EXPECT_EQ(settings.data.validation[0].images, "x");
  EXPECT_EQ(settings.planned,
            (std::vector<std::pair<StepKind, int64_t>>{
                {StepKind::kVerbalizeTeacher, 500}, {StepKind::kInteract, 1000}, {StepKind::kFinetune, 500}}));
}

TEST(RunSettings, DoNotKnowTheIterationsOfEpochs) {
  const auto settings = settings_with({"verbalize.iterations=0", "interact.epochs=0.5", "finetune.iterations=7"});
  EXPECT_EQ(settings.planned,
            (std::vector<std::pair<StepKind, int64_t>>{{StepKind::kInteract, 0}, {StepKind::kFinetune, 7}}));
}

TEST(RunSettings, DoWithoutKeysAndWithUnknownOnes) {
  const Folder folder;
  write_text(folder / "config.yaml", "future: {key: [1, 2]}\nstudent: 3\ndata: none\ninteract: {iterations: many}\n");
  const auto settings = read_run_settings(folder / "config.yaml");
  EXPECT_EQ(settings.method, "");
  EXPECT_EQ(settings.config.student.model, "");
  EXPECT_EQ(settings.differences[0].key, "future.key");
  EXPECT_EQ(settings.differences[0].value, "[1, 2]");
}

TEST(RunSettings, RefuseAFileThatIsNoYaml) {
  const Folder folder;
  write_text(folder / "config.yaml", "a: [1,\n");
  expect_error([&] { read_run_settings(folder / "config.yaml"); }, {"config.yaml"});
}

}  // namespace
}  // namespace vlsi
