// metrics.jsonl of runs that went on, were cut, or are very long.
#include "report/run_metrics.h"

#include <chrono>

#include "tests/support/files.h"

namespace vlsi {
namespace {

void append(const std::filesystem::path& path, const std::string& text) {
  std::ofstream(path, std::ios::app | std::ios::binary) << text;
}

std::string line(int iteration, const std::string& more = "") {
  return concat(R"({"step":"finetune","iteration":)", iteration, R"(,"loss":)", iteration,
                R"(.5,"tokens":100,"answer_tokens":10)", more, R"(,"seconds":)", iteration, "}\n");
}

const OrderedJson* curve(const OrderedJson& step, const std::string& key, int place = 0) {
  for (const auto& item : step["curves"]) {
    if (item["key"] == key && item.value("place", 0) == place) return &item;
  }
  return nullptr;
}

TEST(RunMetrics, GivesEveryNumberACurve) {
  const Folder folder;
  append(folder / "metrics.jsonl", line(1, R"(,"layer_loss":[3,2])") + line(2, R"(,"layer_loss":[2.5,null])"));
  RunMetrics metrics(folder / "metrics.jsonl");
  EXPECT_TRUE(metrics.refresh());
  EXPECT_FALSE(metrics.refresh()) << "nothing is new";
  EXPECT_TRUE(metrics.notes().empty());
  const auto steps = metrics.steps_json({{4}, {}});
  ASSERT_EQ(steps.size(), 1U);
  EXPECT_EQ(steps[0]["name"], "finetune");
  EXPECT_EQ(steps[0]["iterations"], 2);
  EXPECT_EQ(steps[0]["tokens"], 200.0);
  EXPECT_EQ(steps[0]["seconds"], 2.0);
  ASSERT_NE(curve(steps[0], "loss"), nullptr);
  EXPECT_EQ((*curve(steps[0], "loss"))["y"], OrderedJson::parse("[1.5,2.5]"));
  EXPECT_EQ((*curve(steps[0], "tokens_per_second"))["y"], OrderedJson::parse("[100.0,100.0]"));
  EXPECT_EQ((*curve(steps[0], "layer_loss", 1))["layer"], 4);
  EXPECT_TRUE((*curve(steps[0], "layer_loss", 2))["layer"].is_null()) << "the configuration names one layer";
  EXPECT_EQ((*curve(steps[0], "layer_loss", 2))["y"], OrderedJson::parse("[2.0,null]"));
  EXPECT_EQ(curve(steps[0], "seconds"), nullptr);
  EXPECT_TRUE(metrics.matching_json({}).is_null());
}

TEST(RunMetrics, TakeTheLastLayersLossForANumberAndAValidationWithoutOneForAValidation) {
  const Folder folder;
  append(folder / "metrics.jsonl",
         line(1, R"(,"last_loss":[3])") + R"({"step":"finetune","iteration":1,"validation_loss":null})" + "\n");
  RunMetrics metrics(folder / "metrics.jsonl");
  metrics.refresh();
  EXPECT_TRUE(metrics.notes().empty()) << metrics.notes();
  const auto step = metrics.steps_json({{4}, {}})[0];
  EXPECT_FALSE(curve(step, "last_loss")->contains("layer")) << *curve(step, "last_loss");
  EXPECT_EQ(step["validation"], OrderedJson::parse(R"({"iteration":1,"validation_loss":null})"));
}

TEST(RunMetrics, GivesEveryPairTheMeanOfTheMicroBatchesThatChoseIt) {
  const Folder folder;
  append(folder / "metrics.jsonl", R"({"step":"interact","iteration":1,"matches":[[1,2],[1,2],[1,3]],"kl":[1,3,5]})"
                                   "\n"
                                   R"({"step":"interact","iteration":2,"matches":[[1,3]],"kl":[null]})"
                                   "\n");
  RunMetrics metrics(folder / "metrics.jsonl");
  metrics.refresh();
  EXPECT_EQ(metrics.steps_json({})[0]["pairs"], OrderedJson::parse(R"([{"student":1,"teacher":2,"x":[1],"y":[2.0]},
                                   {"student":1,"teacher":3,"x":[1,2],"y":[5.0,null]}])"));
  EXPECT_EQ(metrics.matching_json({{1}, {2, 3}})["stretches"][0]["counts"], OrderedJson::parse("[[2,1]]"));
}

TEST(RunMetrics, ShowsAllCompleteLinesOfACutFileAndSaysSo) {
  const Folder folder;
  const auto path = folder / "metrics.jsonl";
  append(path, line(1) + line(2) + line(3).substr(0, 20));
  RunMetrics metrics(path);
  metrics.refresh();
  EXPECT_EQ(metrics.steps_json({})[0]["iterations"], 2);
  ASSERT_EQ(metrics.notes().size(), 1U);
  EXPECT_NE(metrics.notes()[0].find("ends in the middle of line 3: the 2 complete lines"), std::string::npos)
      << metrics.notes()[0];

  append(path, line(3).substr(20));
  EXPECT_TRUE(metrics.refresh());
  EXPECT_EQ(metrics.steps_json({})[0]["iterations"], 3);
  EXPECT_TRUE(metrics.notes().empty());
}

TEST(RunMetrics, ReadsOnAndEqualsReadingAtOnce) {
  const Folder folder;
  const auto path = folder / "metrics.jsonl";
  std::string whole;
  for (int i = 1; i <= 300; ++i) whole += line(i, R"(,"matches":[[1,2]],"kl":[0.5],"kl_matrix":[[1]])");
  RunMetrics piecewise(path);
  EXPECT_FALSE(piecewise.refresh()) << "there is no file yet";
  for (size_t begin = 0; begin < whole.size(); begin += 777) {
    append(path, whole.substr(begin, 777));
    piecewise.refresh();
  }
  RunMetrics at_once(path);
  at_once.refresh();
  EXPECT_EQ(piecewise.steps_json({}), at_once.steps_json({}));
  EXPECT_EQ(piecewise.matching_json({{1}, {2}}), at_once.matching_json({{1}, {2}}));
  EXPECT_EQ(piecewise.num_lines(), 300);
}

TEST(RunMetrics, StartsAnewWhereTheFileWasCut) {
  const Folder folder;
  const auto path = folder / "metrics.jsonl";
  append(path, line(1) + line(2) + line(3));
  RunMetrics metrics(path);
  metrics.refresh();
  std::ofstream(path, std::ios::binary) << line(1) << line(2);  // as a continued run cuts it
  EXPECT_TRUE(metrics.refresh());
  EXPECT_EQ(metrics.steps_json({})[0]["iterations"], 2);
  std::filesystem::remove(path);
  EXPECT_TRUE(metrics.refresh());
  EXPECT_EQ(metrics.num_lines(), 0);
}

TEST(RunMetrics, CountsTheTimeOfEveryProcessOfAContinuedRun) {
  const Folder folder;
  append(folder / "metrics.jsonl", R"({"step":"finetune","iteration":1,"tokens":10,"seconds":5})"
                                   "\n"
                                   R"({"step":"finetune","iteration":2,"tokens":10,"seconds":2})"
                                   "\n");
  RunMetrics metrics(folder / "metrics.jsonl");
  metrics.refresh();
  EXPECT_EQ(metrics.steps_json({})[0]["seconds"], 7.0);
}

TEST(RunMetrics, TellsWhichLinesItLeftOut) {
  const Folder folder;
  std::string text = line(1) + "\nnot json\n" + line(1);
  for (int i = 0; i < 10; ++i) text += "[]\n";
  append(folder / "metrics.jsonl", text + line(2));
  RunMetrics metrics(folder / "metrics.jsonl");
  metrics.refresh();
  EXPECT_EQ(metrics.steps_json({})[0]["iterations"], 2);
  const auto notes = metrics.notes();
  ASSERT_EQ(notes.size(), 6U);
  EXPECT_NE(notes[0].find("line 3 is no JSON"), std::string::npos) << notes[0];
  EXPECT_NE(notes[1].find("line 4 goes back to iteration 1"), std::string::npos) << notes[1];
  EXPECT_NE(notes[5].find("12 lines"), std::string::npos) << notes[5];
}

TEST(RunMetrics, KeepsTheValidationLoss) {
  const Folder folder;
  append(folder / "metrics.jsonl",
         line(1) + R"({"step":"finetune","iteration":1,"validation_loss":0.5,"validation_loss_words":0.75})"
                   "\n");
  RunMetrics metrics(folder / "metrics.jsonl");
  metrics.refresh();
  EXPECT_EQ(metrics.steps_json({})[0]["validation"],
            OrderedJson::parse(R"({"iteration":1,"validation_loss":0.5,"validation_loss_words":0.75})"));
}

TEST(RunMetrics, RefusesAFileThatCannotBeRead) {
  const Folder folder;
  std::filesystem::create_directories(folder / "metrics.jsonl");
  RunMetrics metrics(folder / "metrics.jsonl");
  expect_error([&] { metrics.refresh(); }, {"metrics.jsonl", "directory"});
}

}  // namespace
}  // namespace vlsi
