// A study's plan and what is left of it.
#include "study/run_study.h"

#include <gtest/gtest.h>

#include "base/json.h"
#include "study/stage_record.h"
#include "study/stage_runner.h"
#include "tests/study/study_files.h"

namespace vlsi::study_test {
namespace {

TEST(StudyPlan, SaysWhatIsSharedAndDone) {
  const StudyFolder folder;
  const auto study = folder.load();
  const auto all = expand(study, folder.study());
  fs::create_directories(find_stage(all, "large").folder);
  write_stage_record(find_stage(all, "large"), {0, 2.5, 100});
  fs::create_directories(find_stage(all, "teacher").folder);
  const auto text = describe_plan(study, all);
  EXPECT_NE(text.find("done     init  large, seed 1, for 6 results: "), std::string::npos) << text;
  EXPECT_NE(text.find("begun    finetune  teacher, seed 1, for 6 results: "), std::string::npos) << text;
  EXPECT_NE(text.find("to do    distill  last, seed 2: "), std::string::npos) << text;
  EXPECT_NE(text.find("13 stages for 6 results of 3 variants with 2 seeds: 5 shared, 1 done\n"), std::string::npos)
      << text;
}

TEST(StageRecords, AddUpOverStarts) {
  const StudyFolder folder;
  const auto all = folder.expand();
  const auto& stage = find_stage(all, "large");
  EXPECT_FALSE(read_stage_record(stage));
  fs::create_directories(stage.folder);
  write_stage_record(stage, {1, 2, 500});
  EXPECT_FALSE(is_done(stage));
  write_stage_record(stage, {0, 3, 400});
  EXPECT_TRUE(is_done(stage));
  const auto record = *read_stage_record(stage);
  EXPECT_EQ(record.seconds, 5);
  EXPECT_EQ(record.peak_memory_bytes, 500);
  EXPECT_EQ(seconds_of(stage, record), 5);
}

TEST(StageRecords, OfRunsCountTheSecondsOfTheirIterations) {
  const StudyFolder folder;
  const auto all = folder.expand();
  const auto& stage = find_stage(all, "last");
  write_text(stage.folder / "metrics.jsonl",
             "{\"step\":\"interact\",\"iteration\":1,\"seconds\":2}\n"
             "{\"step\":\"interact\",\"iteration\":2,\"seconds\":3}\n"
             "{\"step\":\"interact\",\"iteration\":3,\"seconds\":1.5}\n");  // the clock of a second start
  write_stage_record(stage, {0, 1.5, 1});
  EXPECT_EQ(seconds_of(stage, *read_stage_record(stage)), 4.5);
}

TEST(StageRecords, OfAnotherStageAreRefused) {
  const StudyFolder folder;
  const auto all = folder.expand();
  const auto& stage = find_stage(all, "large");
  fs::create_directories(stage.folder);
  write_stage_record(stage, {0, 1, 1});
  auto text = content_of(stage.folder / "stage.json");
  text.replace(text.find(stage.fingerprint), 16, "0123456789abcdef");
  write_text(stage.folder / "stage.json", text);
  expect_error([&] { read_stage_record(stage); }, {"stage.json", "0123456789abcdef", stage.fingerprint, "`out`"});
}

TEST(StageArguments, NameFolderAndThreads) {
  const StudyFolder folder;
  const auto all = folder.expand();
  const auto& last = find_stage(all, "last");
  const auto run = (last.folder / "run.yaml").string();
  EXPECT_EQ(arguments_of(last, false), (std::vector<std::string>{"distill", run}));
  EXPECT_EQ(arguments_of(last, true), (std::vector<std::string>{"distill", run, "--resume"}));
  const auto& large = find_stage(all, "large");
  EXPECT_EQ(arguments_of(large, false).back(), "--out=" + (large.folder / "model").string());
  const auto questions = arguments_of(find_stage(all, "last-questions"), false);
  EXPECT_EQ(questions.front(), "evaluate");
  EXPECT_EQ(questions.back(), "--threads=1");
}

TEST(SecondsLeft, GoByStagesThatAreAlike) {
  EXPECT_FALSE(seconds_left({{"a", "distill", 0, false}}, 1)) << "nothing is known";
  const std::vector<StageTime> stages{{"a", "distill", 10, true}, {"a", "distill", 20, true}, {"b", "init", 1, true},
                                      {"a", "distill", 0, false}, {"c", "distill", 0, false}, {"d", "init", 0, false},
                                      {"e", "evaluate", 0, false}};
  // 15 of the same experiment, 15 of the command, 1 of the command, 31 / 3 of all.
  EXPECT_NEAR(*seconds_left(stages, 2), (15 + 15 + 1 + 31.0 / 3) / 2, 1e-12);
}

}  // namespace
}  // namespace vlsi::study_test
