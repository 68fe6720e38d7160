// The same run in bfloat16, with adapters, with other losses.
#include "tests/cli/program.h"

namespace vlsi::cli_test {
namespace {

Result generate(const fs::path& directory) {
  return vlsi_program({"generate", "--model", directory, "--prompt", "what shape is it?", "--max-new-tokens", "3", "--json"});
}

void expect_finite(const fs::path& run, size_t num_lines) {
  const auto metrics = metrics_of(run);
  EXPECT_EQ(metrics.size(), num_lines);
  for (const auto& line : metrics) EXPECT_TRUE(line.at("loss").is_number()) << line.dump();
}

TEST(Bfloat16, RunsFromEndToEndAndResumesBitForBit) {
  const Folder whole, parts;
  const auto result = distill(whole, {"--dtype", "bfloat16"});
  ASSERT_EQ(result.status, 0) << result.err;
  expect_finite(whole / "run", 17);
  EXPECT_NE(content_of(whole / "run/model/config.json").find("bfloat16"), std::string::npos);
  EXPECT_EQ(generate(whole / "run/model").status, 0);

  ASSERT_EQ(distill(parts, {"--dtype", "bfloat16", "--only", "verbalize"}).status, 0);
  ASSERT_EQ(distill(parts, {"--dtype", "bfloat16", "--only", "interact", "--resume"}).status, 0);
  ASSERT_EQ(distill(parts, {"--dtype", "bfloat16", "--resume"}).status, 0);
  expect_same_run(parts / "run", whole / "run");
}

TEST(Lora, LearnsAndIsMergedIntoAModelThatLoads) {
  const Folder folder;
  const Arguments with_lora{"--set", "student.lora.rank=4", "--set", "interact.train=[lora]", "--set", "finetune.iterations=0"};
  const auto result = distill(folder, with_lora);
  ASSERT_EQ(result.status, 0) << result.err;
  expect_finite(folder / "run", 13);
  const auto weights = content_of(folder / "run/model/model.safetensors");
  EXPECT_EQ(weights.find("lora"), std::string::npos);
  EXPECT_EQ(weights.size(), content_of(model("student") / "model.safetensors").size()) << "the same tensors";
  EXPECT_FALSE(weights == content_of(model("student") / "model.safetensors"));
  EXPECT_EQ(generate(folder / "run/model").status, 0);
}

TEST(Lora, IsCarriedThroughAFinetuningOfOtherParts) {
  const Folder whole, stopped;
  const Arguments with_lora{"--set", "student.lora.rank=4", "--set", "interact.train=[lora]", "--set", "finetune.train=[projector]"};
  ASSERT_EQ(distill(whole, with_lora).status, 0);
  ASSERT_EQ(distill(stopped, with_lora).status, 0);
  // As if it had been killed in the middle of the fine-tuning.
  fs::remove_all(stopped / "run/checkpoints/finetune-4");
  fs::remove_all(stopped / "run/model");
  auto resumed = with_lora;
  resumed.emplace_back("--resume");
  const auto result = distill(stopped, resumed);
  ASSERT_EQ(result.status, 0) << result.err;
  expect_same_run(stopped / "run", whole / "run");
}

TEST(LastLayerDistillation, NeedsNoVerbalizers) {
  const Folder folder;
  const auto result = distill(folder, {"--set", "verbalize.iterations=0", "--set", "interact.intermediate_loss=none", "--set", "student.layers=[]",
                                       "--set", "teacher.layers=[]"});
  ASSERT_EQ(result.status, 0) << result.err;
  expect_finite(folder / "run", 9);
  EXPECT_FALSE(fs::exists(folder / "run/student-verbalizers"));
}

TEST(GivenVerbalizers, SkipTheirVerbalization) {
  const Folder first, second;
  ASSERT_EQ(distill(first, {"--only", "verbalize"}).status, 0);
  const auto result = distill(second, {"--set", "student.verbalizers=" + (first / "run/student-verbalizers").string(), "--set",
                                       "teacher.verbalizers=" + (first / "run/teacher-verbalizers").string()});
  ASSERT_EQ(result.status, 0) << result.err;
  const auto metrics = metrics_of(second / "run");
  ASSERT_EQ(metrics.size(), 9);
  EXPECT_EQ(metrics.front()["step"], "interact");
  EXPECT_FALSE(fs::exists(second / "run/student-verbalizers"));
}

TEST(GivenVerbalizers, MustBeOfTheArchitectureThatTheRunNames) {
  const Folder first, second;
  ASSERT_EQ(distill(first, {"--only", "verbalize", "--set", "verbalize.architecture=mlp", "--set", "verbalize.residual=true"}).status, 0);
  const auto given = (first / "run/teacher-verbalizers").string();
  expect_refusal(distill(second, {"--set", "teacher.verbalizers=" + given}),
                 {"teacher.verbalizers", given, "mlp with residual", "verb_ffn"});
}

TEST(Architectures, RunFromEndToEndAndResumeBitForBit) {
  // Attention inside the verbalizers, and every option of those without.
  for (const Arguments& chosen : {Arguments{"--set", "verbalize.architecture=decoder_x2", "--set", "verbalize.final_norm=true"},
                                  Arguments{"--set", "verbalize.architecture=ffn", "--set", "verbalize.residual=true", "--set",
                                            "verbalize.final_norm=true"}}) {
    SCOPED_TRACE(chosen[1]);
    const Folder whole, parts;
    const auto with = [&](Arguments more) {
      more.insert(more.begin(), chosen.begin(), chosen.end());
      return more;
    };
    const auto result = distill(whole, chosen);
    ASSERT_EQ(result.status, 0) << result.err;
    expect_finite(whole / "run", 17);
    ASSERT_EQ(distill(parts, with({"--only", "verbalize"})).status, 0);
    ASSERT_EQ(distill(parts, with({"--resume"})).status, 0);
    expect_same_run(parts / "run", whole / "run");
    const auto inspected = vlsi_program({"inspect", (whole / "run/student-verbalizers").string()});
    EXPECT_NE(inspected.out.find(chosen[1].substr(chosen[1].find('=') + 1) + ","), std::string::npos) << inspected.out;
    EXPECT_NE(inspected.out.find("final norm"), std::string::npos) << inspected.out;
    EXPECT_EQ(inspected.out.find("residual") != std::string::npos, chosen.size() > 4) << inspected.out;
  }
}

}  // namespace
}  // namespace vlsi::cli_test
