// A run directory with all, some and none of its files.
#include "report/run_data.h"

#include "tests/report/run_files.h"

namespace vlsi {
namespace {

using namespace report_test;

const char* const kLine = R"({"step":"finetune","iteration":1,"loss":2,"seconds":1})"
                          "\n";

TEST(RunData, RefusesADirectoryThatIsNoRun) {
  const Folder folder;
  fs::create_directories(folder / "empty");
  expect_error([&] { RunData(folder / "empty"); }, {"empty", "no run directory", "metrics.jsonl"});
  expect_error([&] { RunData(folder / "absent"); }, {"absent", "no run directory"});
}

TEST(RunData, ShowsWhatThereIs) {
  const Folder folder;
  write_config(folder / "run", {"seed=4"});
  write_text(folder / "run/metrics.jsonl", kLine);
  write_text(folder / "run/summary.json",
             R"({"steps":[{"step":"finetune","iterations":1,"seconds":1.5}],"peak_memory_bytes":1024})");
  write_text(
      folder / "run/version.json",
      R"({"version":"0.1.0","libtorch":"2.13.0","libtorch_for":"cpu","threads":2,"vector_instructions":"AVX2"})");
  write_text(folder / "run/evaluation/results.json",
             R"({"benchmark":"easy-vqa","accuracy":0.75,"right":3,"total":4,"categories":{"color":{"accuracy":0.5}}})");
  const auto json = RunData(folder / "run/").to_json();
  EXPECT_EQ(json["name"], "run");
  EXPECT_TRUE(json["notes"].empty()) << json["notes"];
  EXPECT_EQ(json["lines"], 1);
  EXPECT_EQ(json["finished"], true);
  EXPECT_EQ(json["settings"]["seed"], "4");
  EXPECT_EQ(json["summary"],
            OrderedJson::parse(R"({"steps":[{"step":"finetune","seconds":1.5}],"peak_memory_bytes":1024.0})"));
  EXPECT_EQ(json["program"], "vlsi 0.1.0, LibTorch 2.13.0 for cpu, 2 threads, AVX2");
  EXPECT_EQ(
      json["evaluations"],
      OrderedJson::parse(
          R"([{"name":"evaluation","benchmark":"easy-vqa","score":75.0,"full":100,"total":4.0,"categories":{"color":50.0}}])"));
  EXPECT_EQ(json["steps"][0]["name"], "finetune");
  EXPECT_TRUE(json["matching"].is_null());
}

TEST(RunData, DoesWithoutConfigurationAndTellsOfBrokenResults) {
  const Folder folder;
  write_text(folder / "run/metrics.jsonl", kLine);
  write_text(folder / "run/summary.json", "{\"steps\":");
  write_text(folder / "run/evaluation/results.json", "[1]");
  const auto json = RunData(folder / "run").to_json();
  ASSERT_EQ(json["notes"].size(), 3U) << json["notes"];
  EXPECT_NE(json["notes"][0].get<std::string>().find("no config.yaml"), std::string::npos);
  EXPECT_NE(json["notes"][1].get<std::string>().find("summary.json"), std::string::npos);
  EXPECT_NE(json["notes"][2].get<std::string>().find("results.json"), std::string::npos);
  EXPECT_EQ(json["finished"], false);
  EXPECT_TRUE(json["program"].is_null());
  EXPECT_TRUE(json["evaluations"].empty());
}

TEST(RunData, TakesResultsWithMissingAndStrangeFields) {
  const Folder folder;
  write_config(folder / "run", {});
  write_text(folder / "run/summary.json", R"({"steps":[1,{"step":2},{"step":"interact"}]})");
  write_text(folder / "run/evaluation/results.json", R"({"accuracy":null,"categories":{"a":1},"benchmark":7})");
  const auto json = RunData(folder / "run").to_json();
  EXPECT_EQ(json["summary"]["steps"], OrderedJson::parse(R"([{"step":"interact","seconds":null}])"));
  EXPECT_EQ(
      json["evaluations"],
      OrderedJson::parse(
          R"([{"name":"evaluation","benchmark":"evaluation","score":null,"full":100,"total":null,"categories":{}}])"));
}

TEST(RunData, TakesTheScoreOfABenchmarkThatCountsPoints) {
  const Folder folder;
  write_config(folder / "run", {});
  write_text(folder / "run/evaluation/results.json", R"({"benchmark":"mme","score":1500.5,"accuracy":15.005,"total":8,)"
                                                     R"("categories":{"perception":{"score":1200,"accuracy":12}}})");
  EXPECT_EQ(RunData(folder / "run").to_json()["evaluations"],
            OrderedJson::parse(R"([{"name":"evaluation","benchmark":"mme","score":1500.5,"full":2800,"total":8.0,)"
                               R"("categories":{"perception":1200.0}}])"));
}

TEST(RunData, NoticesWhatChanges) {
  const Folder folder;
  write_config(folder / "run", {});
  RunData run(folder / "run");
  EXPECT_FALSE(run.refresh());
  write_text(folder / "run/metrics.jsonl", kLine);
  EXPECT_TRUE(run.refresh());
  EXPECT_FALSE(run.refresh());
  write_text(folder / "run/summary.json", "{}");
  EXPECT_TRUE(run.refresh());
  EXPECT_EQ(run.to_json()["finished"], true);
}

TEST(RunData, NotesAFolderThatIsGoneForAMoment) {
  const Folder folder;
  write_config(folder / "run", {});
  RunData run(folder / "run");
  fs::rename(folder / "run", folder / "away");
  EXPECT_TRUE(run.refresh());
  const auto notes = run.to_json()["notes"];
  ASSERT_EQ(notes.size(), 1U) << notes;
  EXPECT_NE(notes[0].get<std::string>().find("looking for results in "), std::string::npos) << notes;
  fs::rename(folder / "away", folder / "run");
  EXPECT_TRUE(run.refresh());
  EXPECT_TRUE(run.to_json()["notes"].empty());
}

}  // namespace
}  // namespace vlsi
