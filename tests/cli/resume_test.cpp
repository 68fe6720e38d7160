// Runs that are stopped, killed, continued, repeated: they all end in the same place.
#include <random>

#include "tests/cli/program.h"

namespace vlsi::cli_test {
namespace {

/// The run that nothing disturbed.
const fs::path& undisturbed_run() {
  static const Folder folder;
  static const fs::path run = [] {
    const auto result = distill(folder);
    EXPECT_EQ(result.status, 0) << result.err;
    return folder / "run";
  }();
  return run;
}

Arguments with(Arguments arguments, const Arguments& more) {
  arguments.insert(arguments.end(), more.begin(), more.end());
  return arguments;
}

TEST(Repeating, WithTheSameSeedGivesTheSameRun) {
  const Folder folder;
  ASSERT_EQ(distill(folder).status, 0);
  expect_same_run(folder / "run", undisturbed_run());
}

TEST(Repeating, WithOtherLoaderWorkersGivesTheSameRun) {
  const Folder folder;
  ASSERT_EQ(distill(folder, {"--set", "data.workers=3"}).status, 0);
  expect_same_run(folder / "run", undisturbed_run());
}

TEST(Repeating, WithAnotherSeedGivesAnotherRun) {
  const Folder folder;
  ASSERT_EQ(distill(folder, {"--seed", "4"}).status, 0);
  EXPECT_NE(metrics_of(folder / "run"), metrics_of(undisturbed_run()));
}

TEST(Interrupting, WritesACheckpointAndTheRunGoesOnAsIfNothingHadHappened) {
  const Folder whole, stopped;
  // Long enough that the signal comes long before the end.
  const Arguments longer{"--set", "interact.iterations=60", "--set", "checkpoint.every=1000"};
  ASSERT_EQ(distill(whole, longer).status, 0);

  Program program(with({"distill", write_run(stopped)}, longer));
  program.wait_until([&] { return num_lines(stopped / "run/metrics.jsonl") >= 11; });
  program.signal(SIGINT);
  const auto result = program.wait();
  EXPECT_EQ(result.status, 1) << result.err;
  EXPECT_NE(result.err.find("--resume"), std::string::npos) << result.err;
  bool found = false;
  for (const auto& entry : fs::directory_iterator(stopped / "run/checkpoints")) {
    found |= entry.path().filename().string().starts_with("interact-");
  }
  EXPECT_TRUE(found) << "no checkpoint of the step that was stopped";
  EXPECT_FALSE(fs::exists(stopped / "run/model"));

  const auto resumed = distill(stopped, with(longer, {"--resume"}));
  EXPECT_EQ(resumed.status, 0) << resumed.err;
  expect_same_run(stopped / "run", whole / "run");
}

TEST(Killing, AtAnyMomentLosesNothingThatCannotBeRepeated) {
  const Folder folder;
  std::mt19937 random(7);
  const auto metrics = folder / "run/metrics.jsonl";
  int64_t line = 0;
  for (int attempt = 0; attempt < 5; ++attempt) {
    line += 1 + static_cast<int64_t>(random() % 5);
    Program program(with({"distill", write_run(folder)}, attempt == 0 ? Arguments{} : Arguments{"--resume"}));
    program.wait_until([&] { return num_lines(metrics) >= line; });
    program.signal(SIGKILL);
    program.wait();
    for (const auto& entry : fs::recursive_directory_iterator(folder / "run")) {
      if (entry.path().extension() != ".json") continue;
      EXPECT_NO_THROW(read_json(entry.path())) << "a half-written " << entry.path();
    }
  }
  const auto result = distill(folder, {"--resume"});
  EXPECT_EQ(result.status, 0) << result.err;
  expect_same_run(folder / "run", undisturbed_run());
  for (const auto& entry : fs::recursive_directory_iterator(folder / "run")) {
    EXPECT_EQ(entry.path().string().find(".tmp-"), std::string::npos) << "left behind: " << entry.path();
  }
}

TEST(Killing, BetweenTwoStepsLosesNothing) {
  const Folder whole;
  ASSERT_EQ(distill(whole, {"--set", "checkpoint.keep=100"}).status, 0);
  // What each step leaves after its last checkpoint; a kill there finds none of it, nor anything of later steps.
  const std::vector<std::pair<std::string, std::string>> ends{{"verbalize-student-4", "student-verbalizers"},
                                                               {"verbalize-teacher-4", "teacher-verbalizers"},
                                                               {"interact-5", ""},
                                                               {"finetune-4", "model"}};
  for (size_t i = 0; i < ends.size(); ++i) {
    SCOPED_TRACE(ends[i].first);
    const Folder folder;
    fs::copy(whole / "run", folder / "run", fs::copy_options::recursive);
    auto config = content_of(folder / "run/config.yaml");
    replace(config, (whole / "run").string(), (folder / "run").string());
    write_text(folder / "run/config.yaml", config);
    fs::remove(folder / "run/summary.json");
    std::vector<std::string> kept;
    for (size_t j = 0; j <= i; ++j) kept.push_back(ends[j].first.substr(0, ends[j].first.find_last_of('-')));
    for (size_t j = i; j < ends.size(); ++j) {
      if (!ends[j].second.empty()) fs::remove_all(folder / "run" / ends[j].second);
    }
    std::vector<fs::path> later;
    for (const auto& entry : fs::directory_iterator(folder / "run/checkpoints")) {
      const auto name = entry.path().filename().string();
      if (std::find(kept.begin(), kept.end(), name.substr(0, name.find_last_of('-'))) == kept.end()) later.push_back(entry.path());
    }
    for (const auto& path : later) fs::remove_all(path);

    const auto result = distill(folder, {"--set", "checkpoint.keep=100", "--resume"});
    EXPECT_EQ(result.status, 0) << result.err;
    expect_same_run(folder / "run", undisturbed_run());
  }
}

TEST(Resuming, ClearsWhatAKilledWriteLeft) {
  const Folder folder;
  ASSERT_EQ(distill(folder, {"--only", "verbalize"}).status, 0);
  const auto half = folder / "run/checkpoints/interact-2.tmp-1-0";
  fs::create_directories(half);
  write_text(half / "tensors.safetensors", "half of it");
  write_text(half / "state.json", R"({"step": "interact", "iteration": 2, "sequence": 10, "epoch": 0, "index": 0, "random": "", "metrics_bytes": 0})");
  const auto result = distill(folder, {"--resume"});
  EXPECT_EQ(result.status, 0) << result.err;
  EXPECT_FALSE(fs::exists(half));
  expect_same_run(folder / "run", undisturbed_run());
}

TEST(Resuming, AFinishedRunChangesNothing) {
  const Folder folder;
  ASSERT_EQ(distill(folder).status, 0);
  ASSERT_EQ(distill(folder, {"--resume"}).status, 0);
  expect_same_run(folder / "run", undisturbed_run());
}

TEST(Only, StepByStepIsTheWholeRun) {
  const Folder folder;
  ASSERT_EQ(distill(folder, {"--only", "verbalize"}).status, 0);
  EXPECT_FALSE(fs::exists(folder / "run/model"));
  ASSERT_EQ(distill(folder, {"--only", "interact", "--resume"}).status, 0);
  EXPECT_TRUE(fs::exists(folder / "run/model"));
  ASSERT_EQ(distill(folder, {"--only", "finetune", "--resume"}).status, 0);
  expect_same_run(folder / "run", undisturbed_run());
}

TEST(Only, InteractWithoutVerbalizersSaysWhatIsMissing) {
  const Folder folder;
  expect_refusal(distill(folder, {"--only", "interact"}), {"verbalizers", "verbalize.iterations"});
}

TEST(RunFolder, WithARunInItNeedsResume) {
  const Folder folder;
  ASSERT_EQ(distill(folder, {"--only", "verbalize"}).status, 0);
  const auto before = content_of(folder / "run/metrics.jsonl");
  expect_refusal(distill(folder), {(folder / "run").string(), "--resume"});
  EXPECT_EQ(content_of(folder / "run/metrics.jsonl"), before);
}

TEST(RunFolder, OfAStartThatFailedCanBeUsedAgain) {
  const Folder folder;
  expect_refusal(distill(folder, {"--set", "teacher.layers=[1, 99]"}), {"teacher.layers", "99"});
  EXPECT_EQ(distill(folder, {"--only", "verbalize"}).status, 0);
}

TEST(RunFolder, IsForOneProcess) {
  const Folder folder;
  Program first({"distill", write_run(folder), "--set", "interact.iterations=100000"});
  first.wait_until([&] { return num_lines(folder / "run/metrics.jsonl") >= 1; });
  expect_refusal(distill(folder, {"--set", "interact.iterations=100000", "--resume"}), {"another process"});
  EXPECT_TRUE(first.is_running());
}

TEST(Resuming, WithAChangedConfigurationNamesTheLine) {
  const Folder folder;
  ASSERT_EQ(distill(folder, {"--only", "verbalize"}).status, 0);
  expect_refusal(distill(folder, {"--resume", "--set", "interact.iterations=6"}),
                 {"config.yaml, line ", "iterations: 5", "iterations: 6"});
}

}  // namespace
}  // namespace vlsi::cli_test
