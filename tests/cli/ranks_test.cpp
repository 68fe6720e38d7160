// Runs of two ranks, as a launcher starts them: two processes that are told of each other by their environment.
#include "tests/cli/two_ranks.h"

namespace vlsi::cli_test {
namespace {

/// `vlsi distill` of the run in `folder` on two ranks; the second may have arguments of its own.
Processes start_ranks(const Folder& folder, const Arguments& more = {}, const Arguments& second = {}) {
  return start_two_ranks(with({"distill", write_run(folder)}, more), second);
}

std::vector<std::string> checkpoints_in(const fs::path& run) {
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(run / "checkpoints")) names.push_back(entry.path().filename());
  std::sort(names.begin(), names.end());
  return names;
}

/// Losses within 1e-6 of each other: ranks add the gradients up in another order than one process. A KL is the
/// difference of cross entropies near six, and is rounded as they are.
void expect_same_losses(const fs::path& a, const fs::path& b) {
  const auto found = metrics_of(a), wanted = metrics_of(b);
  ASSERT_EQ(found.size(), wanted.size());
  for (size_t i = 0; i < found.size(); ++i) {
    for (const char* key : {"step", "iteration", "answer_tokens", "tokens", "matches"}) {
      EXPECT_EQ(found[i].value(key, OrderedJson()), wanted[i].value(key, OrderedJson())) << key << " in line " << i + 1;
    }
    const double loss = wanted[i].at("loss");
    const double size = wanted[i].at("step") == "interact" ? 6 : loss;
    EXPECT_NEAR(found[i].at("loss").get<double>(), loss, 1e-6 * size) << wanted[i].dump();
  }
}

const Arguments kTwelve{"--set", "verbalize.iterations=12",     "--set", "interact.iterations=12",
                        "--set", "finetune.iterations=12",      "--set", "checkpoint.every=9",
                        "--set", "optimizer.learning_rate=1e-4"};

/// Twelve iterations of each step, on one rank that accumulates four micro-batches.
const fs::path& one_rank_run() {
  static const Folder folder;
  static const fs::path run = [] {
    const auto result = distill(folder, with(kTwelve, {"--set", "optimizer.accumulate=4"}));
    EXPECT_EQ(result.status, 0) << result.err;
    return folder / "run";
  }();
  return run;
}

/// The same on two ranks that accumulate two.
const fs::path& two_rank_run() {
  static const Folder folder;
  static const fs::path run = [] {
    expect_success(start_ranks(folder, kTwelve));
    return folder / "run";
  }();
  return run;
}

TEST(TwoRanks, GiveTheLossesOfOneWithTwiceTheAccumulation) { expect_same_losses(two_rank_run(), one_rank_run()); }

TEST(TwoRanks, HoldATeacherTogetherWithTheSameNumbers) {
  const Folder folder;
  expect_success(start_ranks(folder, with(kTwelve, {"--set", "teacher.residency=sharded"})));
  expect_same_run(folder / "run", two_rank_run());
}

/// The training data with a first record that cannot be read, in `folder`, as a setting.
std::string broken_data(const Folder& folder) {
  auto records = content_of(tiny("train.json"));
  replace(records, "\"human\"", "\"nobody\"");
  write_text(folder / "broken.json", records);
  return "data.train=[{path: " + (folder / "broken.json").string() + ", images: " + tiny("").string() + "}]";
}

TEST(TwoRanks, SkipBrokenRecordsAsOneDoes) {
  const Folder one, two;
  const auto arguments = [](const Folder& folder, const std::string& accumulate) {
    return Arguments{
        "--set", broken_data(folder), "--set", "data.on_error=skip", "--set", "optimizer.accumulate=" + accumulate};
  };
  EXPECT_EQ(distill(one, arguments(one, "4")).status, 0);
  const auto results = wait(start_ranks(two, arguments(two, "2")));
  for (const auto& result : results) EXPECT_EQ(result.status, 0) << result.err;
  EXPECT_NE(results[0].err.find("skipped"), std::string::npos) << results[0].err;
  EXPECT_EQ(results[1].err, "") << "the first rank says it for all";
  expect_same_losses(two / "run", one / "run");
}

/// The training data with two pictures that are cut off behind their headers, in `folder`, as a setting.
std::string cut_pictures(const Folder& folder) {
  fs::copy(tiny("../images"), folder / "images", fs::copy_options::recursive);
  for (const char* name : {"rgb_8.png", "gray_8.png"}) {
    const auto path = folder / "images" / name;
    fs::resize_file(path, fs::file_size(path) - 30);
  }
  fs::create_directory(folder / "tiny");
  fs::copy_file(tiny("train.json"), folder / "tiny/train.json");
  return "data.train=[{path: " + (folder / "tiny/train.json").string() + "}]";
}

TEST(TwoRanks, SkipPicturesThatOneFindsBrokenAsOneDoes) {
  const Folder one, two;
  const auto arguments = [](const Folder& folder, const std::string& accumulate) {
    return with(kTwelve, {"--set", cut_pictures(folder), "--set", "data.on_error=skip", "--set",
                          "optimizer.accumulate=" + accumulate});
  };
  const auto alone = distill(one, arguments(one, "4"));
  EXPECT_EQ(alone.status, 0) << alone.err;
  const auto results = wait(start_ranks(two, arguments(two, "2")));
  for (const auto& result : results) EXPECT_EQ(result.status, 0) << result.err;
  // Of each step, how many were left out.
  const auto said = [](const std::string& err) {
    std::vector<std::string> counts;
    for (size_t end = err.find(" records were skipped"); end != err.npos; end = err.find(" records", end + 1)) {
      const auto begin = err.rfind(' ', end - 1) + 1;
      if (err.substr(end).starts_with(" records were skipped")) counts.push_back(err.substr(begin, end - begin));
    }
    return counts;
  };
  EXPECT_GE(said(alone.err).size(), 3);
  EXPECT_EQ(said(results[0].err), said(alone.err));
  expect_same_losses(two / "run", one / "run");
}

TEST(TwoRanks, StopTogetherAtABrokenRecord) {
  const Folder folder;
  for (const auto& result : wait(start_ranks(folder, {"--set", broken_data(folder)}))) {
    EXPECT_NE(result.status, 0);
    EXPECT_NE(result.err.find("nobody"), std::string::npos) << result.err;
  }
}

TEST(TwoRanks, WithDifferentConfigurationsAreRefused) {
  const Folder folder;
  const auto results = wait(start_ranks(folder, {}, {"--seed", "9"}));
  EXPECT_EQ(results[0].status, 1) << results[0].err;
  EXPECT_NE(results[0].err.find("vlsi: the run failed: rank 0: rank 1 stopped: "), std::string::npos) << results[0].err;
  EXPECT_EQ(results[1].status, 2);
  EXPECT_NE(results[1].err.find("vlsi: rank 1: "), std::string::npos) << results[1].err;
  EXPECT_NE(results[1].err.find("differs from rank 0's"), std::string::npos) << results[1].err;
}

TEST(TwoRanks, EndWithALineEachWhereTheSystemRefusesAFile) {
  const Folder folder;
  fs::create_directories(folder / "run");
  fs::create_symlink("checkpoints", folder / "run/checkpoints");  // to itself
  const auto results = wait(start_ranks(folder));
  const auto message = (folder / "run/checkpoints").string() + ": Too many levels of symbolic links";
  expect_refusal(results[0], {"vlsi: rank 0: " + message});
  EXPECT_EQ(results[1].status, 1) << results[1].err;
  EXPECT_EQ(results[1].err, "vlsi: the run failed: rank 1: rank 0 stopped: " + message + "\n");
}

TEST(TwoRanks, WithoutTheLaunchersVariablesAreRefused) {
  const Folder folder;
  Surroundings surroundings;
  surroundings.environment = {{"WORLD_SIZE", "2"}};
  expect_refusal(vlsi_program({"distill", write_run(folder)}, surroundings), {"RANK is not set", "torchrun"});
}

class InterruptedRanks : public testing::TestWithParam<std::vector<int>> {};

TEST_P(InterruptedRanks, StopTogetherWithOneCheckpointAndGoOnBitForBit) {
  const Folder folder;
  const auto ranks = start_ranks(folder, with(kTwelve, {"--set", "checkpoint.every=1000"}));
  // (The step's own end would write a checkpoint, too: from its fourth iteration to the signal's arrival there is
  // time.)
  ranks[0]->wait_until([&] { return num_lines(folder / "run/metrics.jsonl") >= 28; });
  for (const int rank : GetParam()) ranks[rank]->signal(SIGINT);
  const auto results = wait(ranks);
  if (results[0].status == 0) GTEST_SKIP() << "the run was over before the signal came";
  for (const auto& result : results) EXPECT_EQ(result.status, 1) << result.err;
  EXPECT_NE(results[0].err.find("--resume"), std::string::npos) << results[0].err;
  EXPECT_EQ(results[1].err, "");
  for (const auto& name : checkpoints_in(folder / "run")) EXPECT_EQ(name.find(".tmp-"), std::string::npos) << name;
  expect_success(start_ranks(folder, with(kTwelve, {"--set", "checkpoint.every=1000", "--resume"})));
  expect_same_run(folder / "run", two_rank_run());
}

INSTANTIATE_TEST_SUITE_P(Signalled, InterruptedRanks, testing::Values(std::vector{0, 1}, std::vector{1}),
                         [](const auto& ranks) { return ranks.param.size() == 2 ? "Both" : "Second"; });

class KilledRank : public testing::TestWithParam<int> {};

TEST_P(KilledRank, StopsTheOtherWithALineAndTheRunGoesOnOnAnyNumberOfRanks) {
  const Folder folder;
  const auto ranks = start_ranks(folder, kTwelve);
  ranks[0]->wait_until(
      [&] { return num_lines(folder / "run/metrics.jsonl") >= 23; });  // behind a checkpoint within a step
  const int killed = GetParam(), other = 1 - killed;
  ranks[killed]->signal(SIGKILL);
  const auto before = std::chrono::steady_clock::now();
  const auto results = wait(ranks);
  EXPECT_LT(std::chrono::steady_clock::now() - before, std::chrono::seconds(30));
  EXPECT_EQ(results[killed].status, 128 + SIGKILL);
  EXPECT_EQ(results[other].status, 1);
  const auto line =
      "vlsi: the run failed: rank " + std::to_string(other) + ": rank " + std::to_string(killed) + " is gone";
  EXPECT_NE(results[other].err.find(line), std::string::npos) << results[other].err;
  if (killed == 0) {
    EXPECT_EQ(std::count(results[1].err.begin(), results[1].err.end(), '\n'), 1) << results[1].err;
  }

  // On: with two ranks bit for bit, with one within rounding.
  if (killed == 1) {
    expect_success(start_ranks(folder, with(kTwelve, {"--resume"})));
    expect_same_run(folder / "run", two_rank_run());
  } else {
    const auto result = distill(folder, with(kTwelve, {"--resume"}));
    EXPECT_EQ(result.status, 0) << result.err;
    expect_same_losses(folder / "run", one_rank_run());
  }
}

INSTANTIATE_TEST_SUITE_P(Killed, KilledRank, testing::Values(0, 1),
                         [](const auto& rank) { return rank.param == 0 ? "First" : "Second"; });

TEST(TwoRanks, OnTwoHostsGiveTheNumbersOfOne) {
  const TwoHosts hosts;
  if (hosts.trouble()) GTEST_SKIP() << *hosts.trouble();
  const Folder folder;
  expect_success(start_two_ranks(with({"distill", write_run(folder)}, kTwelve), {}, {}, &hosts));
  expect_same_run(folder / "run", two_rank_run());
}

TEST(TwoRanks, CutOffFromEachOtherStopWithALineEachAndOneGoesOn) {
  const TwoHosts hosts;
  if (hosts.trouble()) GTEST_SKIP() << *hosts.trouble();
  const Folder folder;
  const auto ranks = start_two_ranks(with({"distill", write_run(folder)}, kTwelve), {}, {}, &hosts);
  ranks[0]->wait_until([&] { return num_lines(folder / "run/metrics.jsonl") >= 23; });
  hosts.cut();
  const auto before = std::chrono::steady_clock::now();
  const auto results = wait(ranks);
  EXPECT_LT(std::chrono::steady_clock::now() - before, std::chrono::seconds(30));
  for (const auto& result : results) EXPECT_EQ(result.status, 1) << result.err;
  EXPECT_TRUE(results[0].err.ends_with("\nvlsi: the run failed: rank 0: rank 1 is gone: no sign of life for 20 s\n"))
      << results[0].err;
  EXPECT_TRUE(results[1].err.starts_with("vlsi: the run failed: rank 1: rank 0 is gone")) << results[1].err;
  EXPECT_EQ(std::count(results[1].err.begin(), results[1].err.end(), '\n'), 1) << results[1].err;

  const auto result = distill(folder, with(kTwelve, {"--resume"}));
  EXPECT_EQ(result.status, 0) << result.err;
  expect_same_losses(folder / "run", one_rank_run());
}

TEST(TwoRanks, OfWhichOneCannotReachTheOtherEndAtTheirMeeting) {
  const TwoHosts hosts;
  if (hosts.trouble()) GTEST_SKIP() << *hosts.trouble();
  const Folder folder;
  Surroundings surroundings;
  surroundings.environment = {{"GLOO_SOCKET_IFNAME", "lo"}};
  for (const auto& result : wait(start_two_ranks({"distill", write_run(folder)}, {}, surroundings, &hosts))) {
    EXPECT_EQ(result.status, 1);
    EXPECT_NE(result.err.find("vlsi: the run failed: meeting 2 ranks at "), std::string::npos) << result.err;
  }
}

TEST(OneRank, GoesOnAsTwo) {
  const Folder folder;
  const auto settings = with(kTwelve, {"--set", "optimizer.accumulate=4"});
  Program program(with({"distill", write_run(folder)}, settings));
  program.wait_until([&] { return num_lines(folder / "run/metrics.jsonl") >= 34; });
  program.signal(SIGKILL);
  program.wait();
  expect_success(start_ranks(folder, with(settings, {"--resume"})));
  expect_same_losses(folder / "run", one_rank_run());
}

}  // namespace
}  // namespace vlsi::cli_test
