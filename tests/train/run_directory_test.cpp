// A run's folder: who may use it, what a checkpoint brings back, which one is taken.
#include "train/run_directory.h"

#include <ATen/ATen.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "base/json.h"
#include "tests/support/errors.h"
#include "tests/support/files.h"
#include "tests/support/in_ranks.h"

namespace vlsi {
namespace {

namespace fs = std::filesystem;

const std::string kConfig = "out: run\nseed: 1\n";

std::vector<TensorSource> some_tensors(double value) { return {source_of("parameter.w", at::full({2, 3}, value))}; }

CheckpointState state_at(const std::string& step, int64_t iteration, int64_t sequence) {
  return {step, iteration, sequence, {1, 2}, "generator"};
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
    run.append_metrics({{"iteration", 1}});
    run.write_checkpoint(state_at("interact", 9, 9), some_tensors(1), 5);
    run.write_checkpoint(state_at("finetune", 1, 10), some_tensors(2), 5);
    run.append_metrics({{"iteration", 2}});
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
  run.append_metrics({{"iteration", 3}});
  EXPECT_EQ(content_of(folder / "run/metrics.jsonl"), "{\"iteration\":1}\n{\"iteration\":3}\n")
      << "what came after the checkpoint is repeated";
}

TEST(RunDirectory, KeepsTheNewestCheckpointsOnly) {
  const Folder folder;
  RunDirectory run(folder / "run", kConfig, false);
  for (int64_t i = 8; i <= 12; ++i) run.write_checkpoint(state_at("interact", i, i), some_tensors(1), 2);
  EXPECT_EQ(checkpoints_in(folder / "run"), (std::vector<std::string>{"interact-11", "interact-12"}));
}

TEST(RunDirectory, RemovesACheckpointUnderATemporaryName) {
  const Folder folder;
  RunDirectory run(folder / "run", kConfig, false);
  run.write_checkpoint(state_at("interact", 1, 1), some_tensors(1), 1);
  const int events = ::inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
  ASSERT_GE(::inotify_add_watch(events, (folder / "run/checkpoints").c_str(), IN_MOVED_FROM | IN_DELETE), 0);
  run.write_checkpoint(state_at("interact", 2, 2), some_tensors(1), 1);
  alignas(inotify_event) char buffer[4096];
  const auto length = ::read(events, buffer, sizeof buffer);
  ::close(events);
  std::vector<std::string> moved, removed;
  for (ssize_t at = 0; at < length;) {
    const auto* event = reinterpret_cast<const inotify_event*>(buffer + at);
    (event->mask & IN_DELETE ? removed : moved).emplace_back(event->name);
    at += static_cast<ssize_t>(sizeof(inotify_event) + event->len);
  }
  EXPECT_NE(std::find(moved.begin(), moved.end(), "interact-1"), moved.end());
  ASSERT_EQ(removed.size(), 1U);
  EXPECT_TRUE(removed[0].starts_with("interact-1.tmp-")) << "what is left when the program is killed is a leftover";
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

TEST(RunDirectory, TakesTheCheckpointThatWasWrittenLastForTheNewest) {
  const Folder folder;
  for (const int64_t keep : {2, 1}) {
    SCOPED_TRACE(keep);
    const auto path = folder / concat("run-", keep);
    {
      RunDirectory run(path, kConfig, false);
      run.write_checkpoint(state_at("verbalize", 8, 8), some_tensors(1), keep);
      run.write_checkpoint(state_at("interact", 4, 12), some_tensors(2), keep);
      // Of a step before which there are fewer iterations than there were.
      run.write_checkpoint(state_at("interact", 5, 8), some_tensors(3), keep);
      run.write_checkpoint(state_at("interact", 6, 9), some_tensors(4), keep);
    }
    EXPECT_EQ(checkpoints_in(path), keep == 1 ? std::vector<std::string>{"interact-6"}
                                              : std::vector<std::string>({"interact-5", "interact-6"}));
    RunDirectory run(path, kConfig, true);
    EXPECT_EQ(run.checkpoint()->path, path / "checkpoints/interact-6");
    EXPECT_EQ(run.checkpoint()->state.sequence, 14);
    run.write_checkpoint(state_at("interact", 6, 9), some_tensors(5), keep);
    const auto again = newest_checkpoint(path);
    EXPECT_EQ(again->state.iteration, 6) << "one of the same name is replaced";
    EXPECT_TRUE(at::equal(again->tensors->tensor("parameter.w"), at::full({2, 3}, 5.0)));
  }
}

TEST(RunDirectory, KnowsWhichStepsHaveMetrics) {
  const Folder folder;
  RunDirectory run(folder / "run", kConfig, false);
  EXPECT_FALSE(run.has_metrics_of("interact"));
  run.append_metrics({{"step", "verbalize-student"}, {"iteration", 1}, {"text", R"({"step":"finetune")"}});
  run.append_metrics({{"step", "interact"}, {"iteration", 1}});
  EXPECT_TRUE(run.has_metrics_of("interact"));
  EXPECT_TRUE(run.has_metrics_of("verbalize-student"));
  EXPECT_FALSE(run.has_metrics_of("verbalize"));
  EXPECT_FALSE(run.has_metrics_of("finetune"));
}

TEST(RunDirectory, IsRefusedToANewRunOnceTrainingBegan) {
  const Folder folder;
  { RunDirectory(folder / "run", kConfig, false).append_metrics({{"iteration", 1}}); }
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

TEST(RunDirectory, NamesTheKeysInWhichTheConfigurationDiffers) {
  const Folder folder;
  { RunDirectory(folder / "run", kConfig, false).append_metrics({{"iteration", 1}}); }
  expect_error([&] { RunDirectory(folder / "run", "out: run\nseed: 2\n", true); },
               {"resuming the run in " + (folder / "run").string(), "config.yaml: seed: '1', now '2'"});
  expect_error([&] { RunDirectory(folder / "run", "out: other\nmore: 1\n", true); },
               {"out: 'run', now 'other'; more: nothing, now '1'; seed: '1', now nothing"});
  EXPECT_NO_THROW(RunDirectory(folder / "run", "seed: 1  # the same\nout: run\n", true));
  EXPECT_NO_THROW(RunDirectory(folder / "run", "seed: 1\nout: elsewhere\n", true, one_rank(), {"out"}));
  expect_error([&] { RunDirectory(folder / "run", "seed: 2\nout: elsewhere\n", true, one_rank(), {"out"}); },
               {"config.yaml: seed: '1', now '2'"});
  write_text(folder / "run/config.yaml", "seed: [1\n");
  expect_error([&] { RunDirectory(folder / "run", kConfig, true); }, {"config.yaml: line "});
  EXPECT_EQ(content_of(folder / "run/metrics.jsonl"), "{\"iteration\":1}\n");
}

TEST(RunDirectory, RefusesCheckpointsWithoutTheirConfiguration) {
  const Folder folder;
  { RunDirectory(folder / "run", kConfig, false).write_checkpoint(state_at("interact", 1, 1), some_tensors(1), 2); }
  fs::remove(folder / "run/config.yaml");
  for (const bool resume : {false, true}) {
    expect_error([&] { RunDirectory(folder / "run", kConfig, resume); },
                 {(folder / "run").string(), "checkpoints", "no config.yaml"});
  }
  EXPECT_FALSE(fs::exists(folder / "run/config.yaml"));
}

TEST(RunDirectory, IsForOneRunAtATime) {
  const Folder folder;
  const RunDirectory first(folder / "run", kConfig, false);
  expect_error([&] { RunDirectory(folder / "run", kConfig, true); },
               {(folder / "run").string(), concat("another process (its number is ", ::getpid(), ")")});
}

TEST(RunDirectory, ClearsWhatAKilledProcessLeft) {
  const Folder folder;
  { RunDirectory(folder / "run", kConfig, false).write_checkpoint(state_at("interact", 1, 1), some_tensors(1), 2); }
  fs::copy(folder / "run/checkpoints/interact-1", folder / "run/checkpoints/interact-2.tmp-99999999-0");
  write_text(folder / "run/model.tmp-99999999-1/config.json", "{");
  const RunDirectory run(folder / "run", kConfig, true);
  EXPECT_EQ(checkpoints_in(folder / "run"), std::vector<std::string>{"interact-1"});
  EXPECT_FALSE(fs::exists(folder / "run/model.tmp-99999999-1"));
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
    if (key == "format") {
      write_text(path, bad.dump());
      expect_error(resume,
                   {"state.json", "'format' is 1, expected 2", "another version of the program", "start it anew"});
      continue;
    }
    write_text(path, bad.dump());
    if (key == "data") {  // the files are compared where they are known
      EXPECT_NO_THROW(resume());
      bad[key] = {{{"name", "train.json"}, {"bytes", "3"}}};
      write_text(path, bad.dump());
      expect_error(resume, {"state.json: data", "bytes", "a string"});
      continue;
    }
    expect_error(resume, {"state.json", key, "missing"});
    bad[key] = Json::array();
    write_text(path, bad.dump());
    expect_error(resume, {"state.json", key, "an array"});
  }
  auto negative = good;
  negative["index"] = -1;
  write_text(path, negative.dump());
  expect_error(resume, {"state.json", "key 'index' is -1, expected 0 or more"});
  auto none = good;
  none["ranks"] = 0;
  write_text(path, none.dump());
  expect_error(resume, {"state.json", "'ranks' is 0"});
  for (const char* key : {"iteration", "sequence", "epoch", "index", "metrics_bytes", "ranks"}) {
    auto large = good;
    large[key] = int64_t{1} << 62;
    write_text(path, large.dump());
    expect_error(resume, {"state.json", concat("'", key, "' is 4611686018427387904, expected ")});
  }
}

TEST(FoundCheckpoint, ListsEveryTensorThatIsNotAsExpected) {
  const Folder folder;
  const auto written =
      sources_of({{"a", at::ones({2})}, {"b", at::ones({2, 3})}, {"c", at::ones({})}, {"d", at::ones({1})}});
  { RunDirectory(folder / "run", kConfig, false).write_checkpoint(state_at("interact", 1, 1), written, 2); }
  const RunDirectory run(folder / "run", kConfig, true);
  const auto& found = *run.checkpoint();
  EXPECT_NO_THROW(found.check_is(written));
  EXPECT_NO_THROW(found.check_has({written[1]}));
  const auto other = sources_of(
      {{"a", at::ones({2})}, {"b", at::ones({3, 2})}, {"c", at::ones({1})}, {"e", at::ones({})}, {"f", at::ones({})}});
  const std::string four = "b is [2, 3], expected [3, 2]; c is [], expected [1]; missing e; missing f";
  expect_error([&] { found.check_has(other); },
               {"resuming from " + (folder / "run/checkpoints/interact-1").string(), ": 4 problem(s): " + four});
  expect_error([&] { found.check_is(other); },
               {"not of this run's configuration: 5 problem(s): " + four + "; unexpected d"});
}

TEST(FoundCheckpoint, ConvertsToTheTypeAskedFor) {
  const Folder folder;
  { RunDirectory(folder / "run", kConfig, false).write_checkpoint(state_at("interact", 1, 1), some_tensors(3), 2); }
  const RunDirectory run(folder / "run", kConfig, true);
  const auto& found = *run.checkpoint();
  const auto tensor = found.tensor("parameter.w", at::empty({2, 3}, at::kBFloat16));
  EXPECT_EQ(tensor.scalar_type(), at::kBFloat16);
  EXPECT_TRUE(at::equal(tensor, at::full({2, 3}, 3.0, at::kBFloat16)));
}

TEST(RunDirectory, OfSeveralRanksIsWrittenByTheFirstAndReadByAll) {
  const Folder folder;
  const auto path = folder / "run";
  EXPECT_EQ(in_ranks(2,
                     [&](const Ranks& ranks) {
                       RunDirectory run(path, kConfig, false, ranks);
                       EXPECT_EQ(run.ranks_at_start(), 2);
                       run.append_metrics({{"rank", ranks.rank()}});
                       int64_t num_made = 0;
                       auto tensors = some_tensors(3);
                       tensors.front().make = [&] {
                         num_made += 1;
                         return at::full({2, 3}, 3.0);
                       };
                       run.write_checkpoint(state_at("interact", 1, 1), tensors, 2);
                       EXPECT_EQ(num_made, 1) << "on every rank, since making may be an exchange";
                       EXPECT_TRUE(fs::exists(path / "checkpoints/interact-1/state.json"));
                     }),
            (std::vector<std::string>{"", ""}));
  EXPECT_EQ(content_of(path / "metrics.jsonl"), "{\"rank\":0}\n");
  EXPECT_EQ(in_ranks(3,
                     [&](const Ranks& ranks) {
                       const RunDirectory run(path, kConfig, true, ranks);
                       ASSERT_TRUE(run.checkpoint());
                       EXPECT_EQ(run.checkpoint()->path, path / "checkpoints/interact-1");
                       EXPECT_EQ(run.ranks_at_start(), 2);
                     }),
            (std::vector<std::string>{"", "", ""}));
}

TEST(RunDirectory, RefusesRanksWithDifferentConfigurations) {
  const Folder folder;
  const auto errors = in_ranks(2, [&](const Ranks& ranks) {
    RunDirectory(folder / "run", ranks.rank() == 0 ? kConfig : "seed: 7\n", false, ranks);
  });
  const auto wanted =
      "starting a run in " + (folder / "run").string() + ": this rank's configuration differs from rank 0's";
  EXPECT_EQ(errors, (std::vector<std::string>{"rank 1 stopped: " + wanted, wanted}));
}

TEST(RunDirectory, CannotBeAFile) {
  const Folder folder;
  write_text(folder / "file", "mine");
  expect_error([&] { RunDirectory(folder / "file", kConfig, false); }, {(folder / "file").string()});
  EXPECT_EQ(content_of(folder / "file"), "mine");
}

}  // namespace
}  // namespace vlsi
