// The student that a run's steps leave behind, asked for again, exported, with a part of the run gone.
#include "tests/cli/resumed_run.h"

namespace vlsi::cli_test {
namespace {

Result export_run(const Folder& folder, const std::string& name, const Arguments& more = {}) {
  return vlsi_program(with({"export", "--run", folder / "run", "--out", folder / name}, more));
}

TEST(StepModels, AreExportedWhereCheckpointsCannotBeRead) {
  const Folder folder;
  const auto checkpoints = folder / "run/checkpoints";
  ASSERT_EQ(distill(folder).status, 0);
  const auto expect_model = [&](const std::string& name) {
    const auto result = export_run(folder, name);
    ASSERT_EQ(result.status, 0) << result.err;
    EXPECT_TRUE(content_of(folder / name / "model.safetensors") == content_of(folder / "run/model/model.safetensors"));
  };
  for (const auto& entry : fs::directory_iterator(checkpoints)) fs::remove(entry.path() / "tensors.safetensors");
  expect_model("without tensors");
  EXPECT_NE(vlsi_program({"inspect", folder / "run"}).out.find("finished"), std::string::npos);
  for (const auto& entry : fs::directory_iterator(checkpoints)) {
    auto state = read_json(entry.path() / "state.json");
    state["format"] = 1;
    write_text(entry.path() / "state.json", state.dump());
  }
  expect_model("of another format");
  EXPECT_NE(export_run(folder, "warned").err.find("key 'format' is 1"), std::string::npos);
}

TEST(StepModels, OfAFinishedRunKeepWhatItTook) {
  const Folder folder;
  ASSERT_EQ(distill(folder).status, 0);
  const auto summary = content_of(folder / "run/summary.json"), learning = content_of(folder / "run/learning.json");
  for (const Arguments& more : {Arguments{"--resume"}, Arguments{"--only", "interact", "--resume"}}) {
    ASSERT_EQ(distill(folder, more).status, 0);
    EXPECT_EQ(content_of(folder / "run/summary.json"), summary);
    EXPECT_EQ(content_of(folder / "run/learning.json"), learning);
  }
}

TEST(StepModels, OfAnEndThatWasNotWrittenAreToldByTheNextStart) {
  const Folder folder;
  ASSERT_EQ(distill(folder, {"--only", "interact", "--set", "interact.intermediate_loss=none"}).status, 0);
  const auto earlier = content_of(folder / "run/summary.json");
  const Arguments finetune{"--only", "finetune", "--resume", "--set", "interact.intermediate_loss=none"};
  ASSERT_EQ(distill(folder, finetune).status, 0);
  // As if it had been killed between its last checkpoint and its end.
  write_text(folder / "run/summary.json", earlier);
  ASSERT_EQ(distill(folder, finetune).status, 0);
  EXPECT_EQ(read_json(folder / "run/summary.json").at("student"), "finetune-4");
  EXPECT_NE(vlsi_program({"inspect", folder / "run"}).out.find("finished"), std::string::npos);
}

TEST(StepModels, AreExportedByOptionsOfTheirFormatAlone) {
  const Folder folder;
  ASSERT_EQ(distill(folder).status, 0);
  expect_refusal(export_run(folder, "x", {"--type", "q8_0"}), {"--type is for --format gguf, and --format is hf"});
  expect_refusal(export_run(folder, "x", {"--format", "peft", "--dtype", "float16"}), {"--dtype is for --format hf"});
  EXPECT_FALSE(fs::exists(folder / "x"));
}

TEST(StepModels, AreAnAdapterAloneWhereThatIsKept) {
  const Folder folder;
  ASSERT_EQ(distill(folder, {"--set", "student.lora.rank=2", "--set", "interact.train=[lora]", "--set",
                             "finetune.train=[lora]"})
                .status,
            0);
  for (const char* name : {"model", "checkpoints"}) fs::remove_all(folder / "run" / name);
  const auto result = export_run(folder, "peft", {"--format", "peft"});
  EXPECT_EQ(result.status, 0) << result.err;
}

TEST(StepModels, AreOfTheFineTuningWhenTheInteractionIsAskedForAgain) {
  const Folder folder;
  const Arguments settings{"--set", "student.lora.rank=2",     "--set", "interact.train=[lora]",
                           "--set", "finetune.train=[decoder]"};
  ASSERT_EQ(distill(folder, settings).status, 0);
  const auto model = content_of(folder / "run/model/model.safetensors");
  const auto again = distill(folder, with(settings, {"--only", "interact", "--resume"}));
  ASSERT_EQ(again.status, 0) << again.err;
  EXPECT_TRUE(content_of(folder / "run/model/model.safetensors") == model);
  EXPECT_FALSE(fs::exists(folder / "run/adapter")) << "the fine-tuning trained more than adapters";
}

TEST(StepModels, OfARunThatLeftAStepOutAreToldToBe) {
  const Folder folder;
  ASSERT_EQ(distill(folder, {"--only", "verbalize"}).status, 0);
  ASSERT_EQ(distill(folder, {"--only", "finetune", "--resume"}).status, 0);
  const auto result = distill(folder, {"--resume"});
  ASSERT_EQ(result.status, 0) << result.err;
  EXPECT_NE(result.err.find("interact was left out, and the run is past it: its newest checkpoint is finetune-4"),
            std::string::npos)
      << result.err;
  const auto summary = read_json(folder / "run/summary.json");
  for (const auto& step : summary.at("steps")) EXPECT_NE(step.at("step"), "interact");
}

TEST(Resuming, KnowsTheVerbalizersOfAStudentWhoseHeadHasLearnedSince) {
  // Its embeddings are its head.
  const Arguments arguments{
      "--set", "interact.train=[decoder, embeddings]", "--set", "checkpoint.every=1", "--set", "checkpoint.keep=100"};
  const Folder whole, stopped;
  ASSERT_NO_FATAL_FAILURE(resume_in_interaction(whole, stopped, arguments));
  expect_same_run(stopped / "run", whole / "run");
}

}  // namespace
}  // namespace vlsi::cli_test
