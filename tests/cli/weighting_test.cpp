// Runs whose answer positions are weighed by visual advantage: live, from a cache, resumed, on two ranks.
#include "tests/cli/two_ranks.h"

namespace vlsi::cli_test {
namespace {

const Arguments kWeighed{
    "--set", "interact.weighting.kind=visual_advantage", "--set", "checkpoint.every=2", "--set", "checkpoint.keep=100"};

/// A run with the live teacher, and the cache of that teacher.
struct WeighedRun {
  Folder folder;
  WeighedRun() {
    EXPECT_EQ(distill(folder, kWeighed).status, 0);
    const auto made = vlsi_program(with({"cache", write_run(folder)}, with(kWeighed, {"--out", folder / "cache"})));
    EXPECT_EQ(made.status, 0) << made.err;
    EXPECT_NE(made.err.find(" + 4) bytes, and 4 bytes each = "), std::string::npos) << made.err;
  }
};

const WeighedRun& weighed_run() {
  static const WeighedRun run;
  return run;
}

std::vector<Json> interaction_of(const fs::path& run) {
  std::vector<Json> lines;
  for (const auto& line : metrics_of(run)) {
    if (line.at("step") == "interact" && line.contains("loss")) lines.push_back(line);
  }
  return lines;
}

TEST(Weighting, OfStrengthZeroGivesTheRunWithoutIt) {
  const Folder plain, zero;
  const Arguments every{"--set", "checkpoint.every=2", "--set", "checkpoint.keep=100"};
  ASSERT_EQ(distill(plain, every).status, 0);
  ASSERT_EQ(distill(zero, with(kWeighed, {"--set", "interact.weighting.strength=0"})).status, 0);
  expect_same_run(zero / "run", plain / "run");
  EXPECT_NE(interaction_of(weighed_run().folder / "run").back().at("loss"),
            interaction_of(plain / "run").back().at("loss"));
}

TEST(Weighting, FromACacheIsThatOfTheLiveTeacher) {
  const Folder folder;
  const auto result =
      distill(folder, with(kWeighed, {"--set", "teacher.cache=" + (weighed_run().folder / "cache").string(), "--set",
                                      "teacher.model=/nowhere"}));
  ASSERT_EQ(result.status, 0) << result.err;
  const auto live = interaction_of(weighed_run().folder / "run"), cached = interaction_of(folder / "run");
  ASSERT_EQ(cached.size(), live.size());
  for (size_t i = 0; i < live.size(); ++i) {
    // Within float32's rounding of log-probabilities of about -5: the same with AVX-512, but not with AVX2 alone.
    EXPECT_NEAR(cached[i].at("visual_advantage").get<double>(), live[i].at("visual_advantage").get<double>(), 1e-6);
    // Rows are rounded to float16.
    EXPECT_NEAR(cached[i].at("loss").get<double>(), live[i].at("loss").get<double>(), 2e-3);
  }
}

TEST(Weighting, NeedsACacheThatWasMadeWithIt) {
  const Folder plain, weighed;
  ASSERT_EQ(distill(plain, {"--only", "verbalize"}).status, 0);
  ASSERT_EQ(vlsi_program({"cache", write_run(plain), "--out", plain / "cache"}).status, 0);
  const Arguments cached{"--set", "teacher.cache=" + (plain / "cache").string()};
  expect_refusal(distill(weighed, with(kWeighed, cached)),
                 {"opening teacher cache", "its visual advantage is 'none', the run's is 'patches at zero'"});
}

TEST(Weighting, ResumedIsUninterrupted) {
  const Folder folder;
  const auto& whole = weighed_run().folder / "run";
  ASSERT_EQ(distill(folder, with(kWeighed, {"--only", "verbalize"})).status, 0);
  ASSERT_EQ(distill(folder, with(kWeighed, {"--only", "interact", "--resume"})).status, 0);
  // Go on from the middle of the interaction.
  for (const auto& entry : fs::directory_iterator(folder / "run/checkpoints")) {
    const auto name = entry.path().filename().string();
    if (name.starts_with("interact-") && name != "interact-2") fs::remove_all(entry.path());
  }
  ASSERT_TRUE(fs::exists(folder / "run/checkpoints/interact-2"));
  const auto result = distill(folder, with(kWeighed, {"--resume"}));
  ASSERT_EQ(result.status, 0) << result.err;
  EXPECT_EQ(interaction_of(folder / "run").back(), interaction_of(whole).back());
  EXPECT_TRUE(content_of(folder / "run/model/model.safetensors") == content_of(whole / "model/model.safetensors"));
}

TEST(Weighting, OnTwoRanksIsTwiceTheAccumulation) {
  const Folder one, two;
  const Arguments steps = with(kWeighed, {"--set", "finetune.iterations=0"});
  ASSERT_EQ(distill(one, with(steps, {"--set", "optimizer.accumulate=4"})).status, 0);
  expect_success(start_two_ranks(with({"distill", write_run(two)}, steps)));
  const auto wanted = interaction_of(one / "run"), found = interaction_of(two / "run");
  ASSERT_EQ(found.size(), wanted.size());
  for (size_t i = 0; i < wanted.size(); ++i) {
    EXPECT_EQ(found[i].at("matches"), wanted[i].at("matches"));
    // A KL is the difference of cross entropies near six, which gradients added in another order change by 1e-6.
    EXPECT_NEAR(found[i].at("loss").get<double>(), wanted[i].at("loss").get<double>(), 6e-6);
    EXPECT_NEAR(found[i].at("visual_advantage").get<double>(), wanted[i].at("visual_advantage").get<double>(), 6e-6);
  }
}

TEST(Weighting, ByATeacherInPartsOrFromItsFilesIsThatOfAWholeOne) {
  const Folder whole, shared, streamed;
  const Arguments steps = with(kWeighed, {"--set", "finetune.iterations=0"});
  expect_success(start_two_ranks(with({"distill", write_run(whole)}, steps)));
  expect_success(
      start_two_ranks(with({"distill", write_run(shared)}, with(steps, {"--set", "teacher.residency=sharded"}))));
  EXPECT_EQ(interaction_of(shared / "run"), interaction_of(whole / "run"));
  ASSERT_EQ(distill(streamed, with(kWeighed, {"--set", "teacher.residency=streamed"})).status, 0);
  EXPECT_EQ(interaction_of(streamed / "run"), interaction_of(weighed_run().folder / "run"));
}

TEST(Weighting, IsRefusedWhereNoLossAsksTheTeacher) {
  const Folder folder;
  expect_refusal(
      distill(folder, with(kWeighed, {"--set", "interact.intermediate_loss=ce", "--set", "interact.last_loss=ce"})),
      {"interact.weighting.kind", "visual_advantage", "neither"});
}

}  // namespace
}  // namespace vlsi::cli_test
