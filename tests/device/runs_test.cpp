// Runs of the three steps on the stand-in device give the losses of the CPU, and the host hardly waits for the device.
#include <gtest/gtest.h>

#include "run/make_cache.h"
#include "tests/device/near.h"
#include "tests/device/stand_in.h"
#include "tests/seams/toy_run.h"
#include "tests/support/errors.h"

namespace vlsi {
namespace runs_on_device {

using device_test::expect_near_lines;
using toy_run::TinyPair;
using Overrides = std::vector<std::string>;

const std::string kOnDevice = "device=privateuseone";

Overrides with(Overrides overrides, const Overrides& more) {
  overrides.insert(overrides.end(), more.begin(), more.end());
  return overrides;
}

/// One run on each, with the same settings.
void expect_same_run(const Overrides& overrides) {
  const TinyPair there, here;
  expect_near_lines(there.run(with(overrides, {kOnDevice})), here.run(overrides));
}

TEST(RunsOnADevice, GiveTheLossesOfTheCpu) { expect_same_run({}); }

TEST(RunsOnADevice, TrainEveryPartOfTheStudent) {
  expect_same_run({"verbalize.iterations=1", "interact.train=[decoder, projector, vision]",
                   "finetune.train=[decoder, embeddings, projector, vision]", "finetune.iterations=3",
                   "activation_checkpointing=true"});
}

TEST(RunsOnADevice, TrainAdapters) {
  expect_same_run({"verbalize.iterations=1", "student.lora.rank=4", "interact.train=[lora]", "finetune.train=[lora]"});
}

TEST(RunsOnADevice, TakeOtherLossesAndRules) {
  expect_same_run({"verbalize.iterations=1", "interact.intermediate_loss=l2", "interact.last_loss=l2"});
  expect_same_run({"verbalize.iterations=1", "interact.intermediate_loss=ce", "interact.last_loss=ce"});
  expect_same_run({"verbalize.iterations=1", "interact.matching.rule=expected", "interact.intermediate_loss=kl"});
}

TEST(RunsOnADevice, StreamTheTeacher) { expect_same_run({"teacher.residency=streamed"}); }

TEST(RunsOnADevice, SendBatchesAndStreamedLayersOnAStreamOfTheirOwn) {
  const auto copies_with = [](const std::string& residency) {
    const TinyPair pair;
    const auto before = stand_in::counts().copies_beside;
    pair.run({kOnDevice, "teacher.residency=" + residency});
    return stand_in::counts().copies_beside - before;
  };
  const auto resident = copies_with("resident");
  EXPECT_GT(resident, 0);
  EXPECT_GT(copies_with("streamed"), resident + 50);  // the weights of a tower and two layers, an iteration
}

TEST(RunsOnADevice, ReadATeacherCacheThatWasMadeThere) {
  const TinyPair there, here;
  const auto run_from_cache = [](const TinyPair& pair, const Overrides& device) {
    pair.run(with(device, {"finetune.iterations=0"}));
    const auto config =
        load_run_config(pair.folder() / "run.yaml",
                        with(device, {"teacher.verbalizers=" + (pair.folder() / "run/teacher-verbalizers").string()}));
    MakeCacheOptions options;
    options.out = pair.folder() / "cache";
    EXPECT_EQ(make_teacher_cache(config, options), Outcome::kFinished);
    return pair.run(with(device, {"out=" + (pair.folder() / "second").string(), "teacher.cache=" + options.out.string(),
                                  "teacher.model=/nowhere"}));
  };
  expect_near_lines(run_from_cache(there, {kOnDevice}), run_from_cache(here, {}));
}

/// Removes what a run wrote behind the checkpoint `last`.
void keep_checkpoints_up_to(const std::string& last, const std::filesystem::path& folder) {
  const std::vector<std::string> steps{"verbalize-student", "verbalize-teacher", "interact", "finetune"};
  const auto order_of = [&](const std::string& name) {
    const auto cut = name.rfind('-');
    return std::pair(std::find(steps.begin(), steps.end(), name.substr(0, cut)) - steps.begin(),
                     std::stol(name.substr(cut + 1)));
  };
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    if (order_of(entry.path().filename()) > order_of(last)) std::filesystem::remove_all(entry.path());
  }
}

TEST(RunsOnADevice, GoOnFromACheckpointOfAnyStep) {
  const TinyPair whole, stopped;
  const Overrides settings{kOnDevice,
                           "checkpoint.every=1",
                           "checkpoint.keep=20",
                           "interact.train=[decoder]",
                           "finetune.train=[projector]",
                           "finetune.iterations=2"};
  const auto wanted = whole.run(settings);
  const auto config = load_run_config(stopped.folder() / "run.yaml", settings);
  stopped.run(settings);
  for (const std::string newest : {"finetune", "interact", "verbalize-teacher", "verbalize-student"}) {
    keep_checkpoints_up_to(newest + "-1", stopped.folder() / "run/checkpoints");
    DistillOptions options;
    options.resume = true;
    ASSERT_EQ(distill(config, options, one_rank()), Outcome::kFinished) << newest;
    // Computed by the same operations in the same order, from a checkpoint that holds every bit.
    auto lines = toy_run::metrics_in(stopped.folder() / "run");
    ASSERT_EQ(lines.size(), wanted.size());
    for (size_t i = 0; i < lines.size(); ++i) {
      lines[i]["seconds"] = wanted[i]["seconds"];
      EXPECT_EQ(lines[i], wanted[i]) << "resumed in " << newest;
    }
  }
}

TEST(RunsOnADevice, WaitAtMostOnceAMicroBatch) {
  const auto waits_with = [](int64_t accumulate) {
    const TinyPair pair;
    const auto before = stand_in::counts().waits;
    pair.run({kOnDevice, concat("optimizer.accumulate=", accumulate)});
    return stand_in::counts().waits - before;
  };
  const int64_t num_interactions = 3, more = 2;  // iterations; micro-batches of each
  // The matching draws from the losses of a micro-batch's pairs. The other steps read what they log once an iteration.
  EXPECT_EQ(waits_with(2 + more) - waits_with(2), num_interactions * more);
}

TEST(RunsOnADevice, GoOnWhenTheDeviceWasOutOfMemoryInAStep) {
  const TinyPair whole, broken;
  const Overrides settings{kOnDevice, "checkpoint.every=1"};
  const auto before = stand_in::counts().allocations;
  const auto wanted = whole.run(settings);
  const auto num_allocations = stand_in::counts().allocations - before;
  stand_in::fail_allocation(stand_in::counts().allocations + num_allocations * 4 / 5);
  expect_error([&] { broken.run(settings); }, {"privateuseone is out of memory", "go on from ", " by --resume"});
  stand_in::fail_allocation(0);
  ASSERT_LT(toy_run::metrics_in(broken.folder() / "run").size(), wanted.size());
  DistillOptions options;
  options.resume = true;
  EXPECT_EQ(distill(load_run_config(broken.folder() / "run.yaml", settings), options, one_rank()), Outcome::kFinished);
  const auto found = toy_run::metrics_in(broken.folder() / "run");
  ASSERT_EQ(found.size(), wanted.size());
  for (size_t i = 0; i < found.size(); ++i) EXPECT_EQ(found[i]["loss"], wanted[i]["loss"]);
}

}  // namespace runs_on_device
}  // namespace vlsi
