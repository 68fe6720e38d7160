// Runs that are stopped, killed, continued, repeated: they all end in the same place.
#include <chrono>
#include <memory>
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

TEST(Interrupting, WhileTheValidationLossIsComputedLeavesItToTheNextStart) {
  const Folder folder;
  const auto validation = folder / "validation.json";
  const auto write_validation = [&](size_t count) {
    const auto record =
        Json::parse(R"({"conversations": [{"from": "human", "value": "Q"}, {"from": "gpt", "value": "a circle"}]})");
    write_text(validation, Json(std::vector<Json>(count, record)).dump());
  };
  const Arguments alone{"--only", "finetune",
                        "--set",  "finetune.iterations=1",
                        "--set",  "data.validation=[{path: " + validation.string() + "}]"};
  write_validation(30000);  // seconds of work
  Program program(with({"distill", write_run(folder)}, alone));
  program.wait_until([&] { return fs::exists(folder / "run/checkpoints/finetune-1"); });
  program.signal(SIGINT);
  const auto result = program.wait();
  EXPECT_EQ(result.status, 1) << result.err;
  EXPECT_NE(result.err.find("--resume"), std::string::npos) << result.err;
  EXPECT_EQ(metrics_of(folder / "run").size(), 1U);
  EXPECT_FALSE(fs::exists(folder / "run/model"));

  write_validation(2);
  const auto resumed = distill(folder, with(alone, {"--resume"}));
  EXPECT_EQ(resumed.status, 0) << resumed.err;
  const auto lines = metrics_of(folder / "run");
  ASSERT_EQ(lines.size(), 2U);
  EXPECT_FALSE(lines[0].contains("validation_loss"));
  EXPECT_TRUE(lines[1].contains("validation_loss"));
  EXPECT_TRUE(fs::exists(folder / "run/model"));
}

// The moments are shares of the time that an undisturbed run takes; whatever they hit, the end is the same.
TEST(Killing, AtTwentyRandomMomentsEndsInTheSameRun) {
  const Arguments longer{"--set", "interact.iterations=8",
                         "--set", "finetune.iterations=6",
                         "--set", "interact.train=[decoder, projector]"};
  const Folder whole;
  const auto started = std::chrono::steady_clock::now();
  ASSERT_EQ(distill(whole, longer).status, 0);
  const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - started;

  std::mt19937 random(20);
  auto folder = std::make_unique<Folder>();
  const auto start = [&] { return with({"distill", write_run(*folder), "--resume"}, longer); };
  const auto expect_the_same_end = [&] {
    expect_same_run(*folder / "run", whole / "run");
    EXPECT_EQ(leftovers_in(*folder / "run"), std::vector<std::string>{});
  };
  constexpr int kKills = 20, kMostStarts = 100;
  for (int kills = 0, starts = 0; kills < kKills && starts < kMostStarts; ++starts) {
    SCOPED_TRACE(concat("start ", starts));
    const double share = random() / 4294967296.0;
    Program program(start());
    std::this_thread::sleep_for(share * seconds);
    program.signal(SIGKILL);
    const auto result = program.wait();
    if (result.status == 128 + SIGKILL) {
      ++kills;
      if (!fs::exists(*folder / "run")) continue;
      for (const auto& entry : fs::recursive_directory_iterator(*folder / "run")) {
        if (entry.path().extension() != ".json") continue;
        EXPECT_NO_THROW(read_json(entry.path())) << "a half-written " << entry.path();
      }
    } else {
      ASSERT_EQ(result.status, 0) << result.err;
      expect_the_same_end();
      folder = std::make_unique<Folder>();
    }
  }
  const auto result = vlsi_program(start());
  ASSERT_EQ(result.status, 0) << result.err;
  expect_the_same_end();
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
      if (std::find(kept.begin(), kept.end(), name.substr(0, name.find_last_of('-'))) == kept.end())
        later.push_back(entry.path());
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
  const auto half = folder / "run/checkpoints/interact-2.tmp-99999999-0";
  fs::create_directories(half);
  write_text(half / "tensors.safetensors", "half of it");
  write_text(
      half / "state.json",
      R"({"step": "interact", "iteration": 2, "sequence": 10, "epoch": 0, "index": 0, "random": "", "metrics_bytes": 0})");
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

TEST(Only, StepByStepIsTheWholeRunAlsoWhereTheTowerLearns) {
  const Folder whole, steps;
  // What the tower made of pictures before it learnt is of no use to the step behind.
  const Arguments learning{"--set", "interact.train=[vision]", "--set", "optimizer.learning_rate=0.1"};
  ASSERT_EQ(distill(whole, learning).status, 0);
  ASSERT_EQ(distill(steps, with({"--only", "verbalize"}, learning)).status, 0);
  ASSERT_EQ(distill(steps, with({"--only", "interact", "--resume"}, learning)).status, 0);
  ASSERT_EQ(distill(steps, with({"--only", "finetune", "--resume"}, learning)).status, 0);
  expect_same_run(steps / "run", whole / "run");
}

TEST(Only, ExportGivesTheNewestCheckpointWhereModelIsOfAnEarlierStep) {
  const Folder folder;
  const auto run = folder / "run";
  const auto exported = [&](const std::string& name) {
    const auto result = vlsi_program({"export", "--run", run, "--out", folder / name});
    EXPECT_EQ(result.status, 0) << result.err;
    return content_of(folder / name / "model.safetensors");
  };
  const auto inspected = [&] { return vlsi_program({"inspect", run}).out; };
  const std::string finished = "finished: the result is in model/", older = "model/ is of an earlier step";
  ASSERT_EQ(distill(folder, {"--only", "verbalize"}).status, 0);
  ASSERT_EQ(distill(folder, {"--only", "interact", "--resume"}).status, 0);
  fs::copy(run, folder / "interacted", fs::copy_options::recursive);
  const auto interacted = content_of(run / "model/model.safetensors");
  EXPECT_TRUE(exported("interaction") == interacted);
  EXPECT_NE(inspected().find(finished), std::string::npos) << inspected();
  ASSERT_EQ(distill(folder, {"--only", "finetune", "--resume"}).status, 0);
  EXPECT_NE(inspected().find(finished), std::string::npos) << inspected();
  const auto finetuned = content_of(run / "model/model.safetensors");
  ASSERT_FALSE(finetuned == interacted);

  // As if the fine-tuning had been killed behind its last checkpoint; also where summary.json has its steps alone.
  for (const char* name : {"model", "summary.json"}) {
    fs::remove_all(run / name);
    fs::copy(folder / "interacted" / name, run / name, fs::copy_options::recursive);
  }
  EXPECT_TRUE(exported("stopped") == finetuned);
  EXPECT_NE(inspected().find(older), std::string::npos) << inspected();
  auto summary = read_json(run / "summary.json");
  ASSERT_EQ(summary.at("student"), "interact-5");
  summary.erase("student");
  write_text(run / "summary.json", summary.dump());
  EXPECT_TRUE(exported("stopped without the key") == finetuned);
  fs::remove_all(run / "checkpoints");
  EXPECT_TRUE(exported("without checkpoints") == interacted);
}

TEST(Only, AStepThatWasLeftOutIsRefusedOnceTheRunIsPastIt) {
  const Folder folder;
  ASSERT_EQ(distill(folder, {"--only", "finetune"}).status, 0);
  const auto before = content_of(folder / "run/metrics.jsonl");
  expect_refusal(distill(folder, {"--only", "verbalize", "--resume"}),
                 {"resuming the run in " + (folder / "run").string(), "--only asks for verbalize-student",
                  "the run is past it: its newest checkpoint is finetune-4"});
  const auto again = distill(folder, {"--only", "finetune", "--resume"});
  EXPECT_EQ(again.status, 0) << again.err;
  EXPECT_EQ(content_of(folder / "run/metrics.jsonl"), before);
}

TEST(Only, AStepThatWasTakenMayBeAskedForAgain) {
  const Folder folder;
  ASSERT_EQ(distill(folder).status, 0);
  const auto result = distill(folder, {"--only", "verbalize", "--resume"});
  EXPECT_EQ(result.status, 0) << result.err;
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
  expect_refusal(distill(folder, {"--set", "interact.iterations=100000", "--resume"}),
                 {concat("another process (its number is ", first.number(), ") is running there")});
  EXPECT_TRUE(first.is_running());
}

TEST(Resuming, WithAChangedConfigurationNamesTheKeys) {
  const Folder folder;
  ASSERT_EQ(distill(folder, {"--only", "verbalize"}).status, 0);
  const auto before = content_of(folder / "run/metrics.jsonl");
  expect_refusal(
      distill(folder, {"--resume", "--set", "interact.iterations=6", "--set", "optimizer.eps=1e-6"}),
      {"config.yaml: ", "verbalize.optimizer.eps, interact.optimizer.eps, finetune.optimizer.eps: '1e-08', now '1e-06'",
       "interact.iterations: '5', now '6'"});
  EXPECT_EQ(content_of(folder / "run/metrics.jsonl"), before);
}

TEST(Resuming, OnDataThatChangedNamesTheFile) {
  const Folder folder;
  const auto records = read_json(tiny("train.json"));
  const auto write = [&](size_t count) {
    write_text(folder / "train.json", Json(std::vector<Json>(records.begin(), records.begin() + count)).dump());
  };
  const auto run = [&](const Arguments& more, const char* iterations = "4") {
    return distill(folder, with({"--only", "finetune", "--set",
                                 "data.train=[{path: " + (folder / "train.json").string() +
                                     ", images: " + tiny("").string() + "}]",
                                 "--set", "interact.iterations=0", "--set", concat("finetune.iterations=", iterations)},
                                more));
  };
  write(8);
  ASSERT_EQ(run({}).status, 0);
  write(7);
  const auto files = [&] {
    auto found = files_in(folder / "run");
    found.erase(".lock");  // names the process that held it last
    return found;
  };
  const auto before = files();
  expect_refusal(run({"--resume"}), {"finetune-4", "the data file train.json has changed since", "--data-may-differ"});
  EXPECT_TRUE(files() == before);
  EXPECT_EQ(run({"--resume", "--data-may-differ"}).status, 0);
  write(8);
  EXPECT_EQ(run({"--resume"}).status, 0);
}

TEST(Resuming, OnShorterDataKeepsTheCheckpointsThatItWrites) {
  const Folder folder;
  const auto records = read_json(tiny("train.json"));
  const auto data = folder / "train.json";
  const auto run = [&](size_t num_records, const Arguments& more) {
    write_text(data, Json(std::vector<Json>(records.begin(), records.begin() + num_records)).dump());
    const Arguments settings{
        "--set", concat("data.train=[{path: ", data.string(), ", images: ", tiny("").string(), "}]"),
        "--set", "interact.intermediate_loss=none",
        "--set", "interact.epochs=40"};
    const auto result = distill(folder, with(settings, more));
    EXPECT_EQ(result.status, 0) << result.err;
  };
  run(8, {"--only", "interact"});
  run(1, {"--only", "finetune", "--resume", "--data-may-differ"});
  for (const char* name : {"finetune-2", "finetune-4"})
    EXPECT_TRUE(fs::exists(folder / "run/checkpoints" / name)) << name;
  const auto before = metrics_of(folder / "run");
  run(1, {"--only", "finetune", "--resume"});
  EXPECT_EQ(metrics_of(folder / "run"), before) << "it went on from an older checkpoint";
}

TEST(Resuming, ElsewhereAndOtherwiseGivesTheSameRun) {
  const Folder folder;
  ASSERT_EQ(distill(folder, {"--only", "verbalize"}).status, 0);
  fs::rename(folder / "run", folder / "moved");
  const auto result =
      distill(folder, {"--resume", "--set", "out=" + (folder / "moved").string(), "--set", "checkpoint.keep=1", "--set",
                       "data.workers=3", "--set", "teacher.residency=streamed", "--set",
                       "activation_checkpointing=true", "--set", "vision_cache=" + (folder / "pictures").string()});
  ASSERT_EQ(result.status, 0) << result.err;
  expect_same_run(folder / "moved", undisturbed_run());
}

TEST(Resuming, FromCheckpointsOfAnotherRunListsWhatDoesNotFit) {
  const Arguments last_layer{"--only", "interact", "--set", "interact.intermediate_loss=none"};
  const Folder folder, older;
  ASSERT_EQ(distill(folder, last_layer).status, 0);
  ASSERT_EQ(distill(older, with(last_layer, {"--set", "interact.train=[embeddings]"})).status, 0);
  // The lines' lengths differ from run to run, with their seconds: a checkpoint knows those of its own.
  fs::copy_file(older / "run/metrics.jsonl", folder / "run/metrics.jsonl", fs::copy_options::overwrite_existing);
  const auto before = content_of(folder / "run/metrics.jsonl");
  fs::remove_all(folder / "run/checkpoints");
  fs::copy(older / "run/checkpoints", folder / "run/checkpoints", fs::copy_options::recursive);
  expect_refusal(distill(folder, with(last_layer, {"--resume"})),
                 {"checkpoints/interact-5", "problem(s)", "missing parameter.decoder.layers.{0-1}.mlp.down_proj.weight",
                  "missing parameter.decoder.norm.weight"});
  EXPECT_EQ(content_of(folder / "run/metrics.jsonl"), before) << "a start that fails harms nothing";
  fs::remove(folder / "run/config.yaml");
  expect_refusal(distill(folder, last_layer), {(folder / "run").string(), "there are checkpoints, but no config.yaml"});
}

}  // namespace
}  // namespace vlsi::cli_test
