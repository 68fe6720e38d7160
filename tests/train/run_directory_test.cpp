// A run's folder: who may use it, what a checkpoint brings back, which one is taken.
#include "train/run_directory.h"

#include <ATen/ATen.h>

#include "base/json.h"
#include "tests/train/run_folder.h"

namespace vlsi {
namespace {

using namespace train_test;

const std::string kConfig = "out: run\nseed: 1\n";

NamedTensors some_tensors(double value) { return {{"parameter.w", at::full({2, 3}, value)}}; }

CheckpointState state_at(const std::string& step, int64_t iteration, int64_t sequence) {
  return {step, iteration, sequence, {1, 2}, "generator", 0};
}

std::vector<std::string> checkpoints_in(const fs::path& run) {
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(run / "checkpoints")) names.push_back(entry.path().filename());
  std::sort(names.begin(), names.end());
  return names;
}

TEST(RunDirectory, KeepsTheConfigurationAndBringsBackTheNewestCheckpoint) {
  const Folder folder;
  {
    RunDirectory run(folder / "run", kConfig, false);
    EXPECT_FALSE(run.checkpoint());
    run.metrics().append({{"iteration", 1}});
    run.write_checkpoint(state_at("interact", 9, 9), some_tensors(1), 5);
    run.write_checkpoint(state_at("finetune", 1, 10), some_tensors(2), 5);
    run.metrics().append({{"iteration", 2}});
  }
  EXPECT_EQ(content_of(folder / "run/config.yaml"), kConfig);
  RunDirectory run(folder / "run", kConfig, true);
  ASSERT_TRUE(run.checkpoint());
  const auto& [state, path, tensors] = *run.checkpoint();
  EXPECT_EQ(path, folder / "run/checkpoints/finetune-1");
  EXPECT_EQ(state.step, "finetune");
  EXPECT_EQ(state.iteration, 1);
  EXPECT_EQ(state.sequence, 10);
  EXPECT_EQ(state.cursor.epoch, 1);
  EXPECT_EQ(state.cursor.index, 2);
  EXPECT_EQ(state.random, "generator");
  EXPECT_TRUE(at::equal(tensors->tensor("parameter.w"), at::full({2, 3}, 2.0)));
  EXPECT_EQ(content_of(folder / "run/metrics.jsonl"), "{\"iteration\":1}\n") << "what came after the checkpoint is repeated";
}

TEST(RunDirectory, KeepsTheNewestCheckpointsOnly) {
  const Folder folder;
  RunDirectory run(folder / "run", kConfig, false);
  for (int64_t i = 8; i <= 12; ++i) run.write_checkpoint(state_at("interact", i, i), some_tensors(1), 2);
  EXPECT_EQ(checkpoints_in(folder / "run"), (std::vector<std::string>{"interact-11", "interact-12"}));
}

TEST(RunDirectory, ReplacesACheckpointOfTheSameName) {
  const Folder folder;
  {
    RunDirectory run(folder / "run", kConfig, false);
    run.write_checkpoint(state_at("interact", 1, 1), some_tensors(1), 2);
    run.write_checkpoint(state_at("interact", 1, 1), some_tensors(5), 2);
  }
  EXPECT_EQ(checkpoints_in(folder / "run"), std::vector<std::string>{"interact-1"});
  RunDirectory run(folder / "run", kConfig, true);
  EXPECT_TRUE(at::equal(run.checkpoint()->tensors->tensor("parameter.w"), at::full({2, 3}, 5.0)));
}

TEST(RunDirectory, IsRefusedToANewRunOnceTrainingBegan) {
  const Folder folder;
  { RunDirectory(folder / "run", kConfig, false).metrics().append({{"iteration", 1}}); }
  expect_error([&] { RunDirectory(folder / "run", kConfig, false); }, {(folder / "run").string(), "--resume"});
  EXPECT_EQ(content_of(folder / "run/metrics.jsonl"), "{\"iteration\":1}\n");
}

TEST(RunDirectory, IsFreeAfterAStartThatFailed) {
  const Folder folder;
  { RunDirectory(folder / "run", kConfig, false); }
  { RunDirectory(folder / "run", "out: run\nseed: 2\n", false); }
  EXPECT_EQ(content_of(folder / "run/config.yaml"), "out: run\nseed: 2\n");
}

TEST(RunDirectory, LeavesAConfigurationAloneThatNoRunWrote) {
  const Folder folder;
  write_text(folder / "run/config.yaml", "# mine\n");
  expect_error([&] { RunDirectory(folder / "run", kConfig, false); }, {"--resume"});
  EXPECT_EQ(content_of(folder / "run/config.yaml"), "# mine\n");
}

TEST(RunDirectory, NamesTheLineInWhichTheConfigurationDiffers) {
  const Folder folder;
  { RunDirectory(folder / "run", kConfig, false).metrics().append({{"iteration", 1}}); }
  expect_error([&] { RunDirectory(folder / "run", "out: run\nseed: 2\n", true); }, {"config.yaml, line 2", "'seed: 1'", "'seed: 2'"});
  expect_error([&] { RunDirectory(folder / "run", "out: run\n", true); }, {"line 2", "'seed: 1'", "''"});
  expect_error([&] { RunDirectory(folder / "run", kConfig + "more: 1\n", true); }, {"line 3", "'more: 1'"});
}

TEST(RunDirectory, IsForOneRunAtATime) {
  const Folder folder;
  const RunDirectory first(folder / "run", kConfig, false);
  expect_error([&] { RunDirectory(folder / "run", kConfig, true); }, {(folder / "run").string(), "another process"});
}

TEST(RunDirectory, ClearsWhatAKilledProcessLeft) {
  const Folder folder;
  { RunDirectory(folder / "run", kConfig, false).write_checkpoint(state_at("interact", 1, 1), some_tensors(1), 2); }
  fs::copy(folder / "run/checkpoints/interact-1", folder / "run/checkpoints/interact-2.tmp-77-0");
  write_text(folder / "run/model.tmp-77-1/config.json", "{");
  const RunDirectory run(folder / "run", kConfig, true);
  EXPECT_EQ(checkpoints_in(folder / "run"), std::vector<std::string>{"interact-1"});
  EXPECT_FALSE(fs::exists(folder / "run/model.tmp-77-1"));
}

TEST(RunDirectory, RefusesADamagedState) {
  const Folder folder;
  { RunDirectory(folder / "run", kConfig, false).write_checkpoint(state_at("interact", 1, 1), some_tensors(1), 2); }
  const auto path = folder / "run/checkpoints/interact-1/state.json";
  const auto good = read_json(path);
  const auto resume = [&] { RunDirectory(folder / "run", kConfig, true); };
  for (const auto& [key, value] : good.items()) {
    auto bad = good;
    bad.erase(key);
    write_text(path, bad.dump());
    expect_error(resume, {"state.json", key, "missing"});
    bad[key] = Json::array();
    write_text(path, bad.dump());
    expect_error(resume, {"state.json", key, "an array"});
  }
  auto negative = good;
  negative["index"] = -1;
  write_text(path, negative.dump());
  expect_error(resume, {"state.json", "negative"});
}

TEST(FoundCheckpoint, ChecksShapesAndConvertsToTheTypeAskedFor) {
  const Folder folder;
  { RunDirectory(folder / "run", kConfig, false).write_checkpoint(state_at("interact", 1, 1), some_tensors(3), 2); }
  const RunDirectory run(folder / "run", kConfig, true);
  const auto& found = *run.checkpoint();
  const auto tensor = found.tensor("parameter.w", at::empty({2, 3}, at::kBFloat16));
  EXPECT_EQ(tensor.scalar_type(), at::kBFloat16);
  EXPECT_TRUE(at::equal(tensor, at::full({2, 3}, 3.0, at::kBFloat16)));
  expect_error([&] { found.tensor("parameter.w", at::empty({3, 2})); }, {"interact-1", "parameter.w", "[2, 3]", "[3, 2]"});
  expect_error([&] { found.tensor("parameter.v", at::empty({3, 2})); }, {"interact-1", "parameter.v"});
}

TEST(RunDirectory, CannotBeAFile) {
  const Folder folder;
  write_text(folder / "file", "mine");
  expect_error([&] { RunDirectory(folder / "file", kConfig, false); }, {(folder / "file").string()});
  EXPECT_EQ(content_of(folder / "file"), "mine");
}

}  // namespace
}  // namespace vlsi
