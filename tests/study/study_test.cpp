// What a study's file may say.
#include "study/study.h"

#include <gtest/gtest.h>

#include "tests/study/study_files.h"

namespace vlsi::study_test {
namespace {

TEST(Study, FillsInWhatIsLeftToDefaults) {
  const StudyFolder folder;
  const auto study = folder.load({"baseline=", "base=", "threads=0", "cores=3"});
  EXPECT_EQ(study.baseline, "teacher") << "the first variant";
  EXPECT_EQ(study.base, "distilled") << "the last stage";
  EXPECT_EQ(study.stages[0].threads, 3) << "as many as cores";
  EXPECT_EQ(study.stages[1].threads, 2) << "its own";
  EXPECT_EQ(study.variants[0].stage, "teacher");
  EXPECT_EQ(study.variants[1].stage, "distilled");
  EXPECT_EQ(study.variants[1].title, "VLsI");
  EXPECT_EQ(study.variants[2].title, "last") << "the name";
}

struct BadStudy {
  std::string from, to;
  std::vector<std::string> parts;  // of the error
};

TEST(Study, RefusesWhatContradicts) {
  const std::vector<BadStudy> cases{
      {"cores: 2", "core: 2", {"line 6", "'core' is unknown", "did you mean 'cores'"}},
      {"title: VLsI", "titel: VLsI", {"'variants[1].titel' is unknown", "'variants[1].title'"}},
      {"name: vlsi,", "name: last,", {"'variants' has the name 'last' twice"}},
      {"name: words,", "name: teacher,", {"'stages' has the name 'teacher' twice"}},
      {"name: vlsi,", "name: ../vlsi,", {"'variants[1].name' is '../vlsi'", "letters, digits"}},
      {"name: vlsi,", "", {"'variants[1].name' is missing"}},
      {"baseline: last", "baseline: lost", {"'baseline' is 'lost'", "did you mean 'last'"}},
      {"base: distilled", "base: distiled", {"'base' is 'distiled'", "did you mean 'distilled'"}},
      {"stage: teacher}", "stage: teachers}", {"variant 'teacher'", "'teachers'", "did you mean 'teacher'"}},
      {"title: VLsI", "title: last", {"variant 'last'", "another one has the title 'last'"}},
      {"cores: 2", "compare: [{variant: vlsi, minus: lost}]", {"'compare' is 'lost'", "did you mean 'last'"}},
      {"cores: 2",
       "compare: [{variant: vlsi, minus: last}, {variant: vlsi, minus: last}]",
       {"'compare' has 'vlsi' minus 'last' twice"}},
      {"cores: 2", "compare: [{variant: vlsi, minus: vlsi}]", {"'compare': 'vlsi' is compared with itself"}},
      {"seeds: [1, 2]", "seeds: []", {"'seeds' is missing"}},
      {"seeds: [1, 2]", "seeds: [2, 2]", {"'seeds' has one of them twice"}},
      {"out: ", "#", {"'out' is missing"}},
      {"cores: 2", "cores: -1", {"'cores'", "-1", "0 to 1024"}},
      {"cores: 2", "memory_gib: -1", {"'memory_gib'", "-1"}},
      {"threads: 2, ", "threads: 2000, ", {"stage 'teacher'", "2000", "0 to 1024"}},
      {"threads: 2, ", "memory_gib: -2, ", {"stage 'teacher'", "-2"}},
      {"command: distill", "command: distil", {"'distil'", "expected one of distill, finetune"}},
      {"command: init, options: [", "command: init, set: [", {"stage 'large'", "takes 'options'"}},
      {"command: finetune, ", "command: finetune, options: [dtype=float32], ", {"stage 'teacher'", "takes 'set'"}},
      {"config=", "confi=", {"stage 'large'", "option 'confi' is unknown", "did you mean 'config'"}},
      {"[benchmark=easy-vqa", "[benchmark", {"evaluation 'questions'", "'benchmark'", "expected option=value"}},
      {"- {name: questions, options", "- {options", {"'evaluate[0].name' is missing"}},
  };
  for (const auto& bad : cases) {
    SCOPED_TRACE(bad.to);
    const StudyFolder folder;
    folder.change("study.yaml", bad.from, bad.to);
    expect_error([&] { folder.load(); }, bad.parts);
  }
}

TEST(Study, NeedsStagesVariantsAndEvaluations) {
  const StudyFolder folder;
  for (const std::string key : {"stages", "variants", "evaluate"}) {
    expect_error([&] { folder.load({key + "=[]"}); }, {"'" + key + "' is missing"});
  }
  expect_error(
      [&] {
        folder.load({"base=large", "stages=[{name: large, command: distill}]"});
      },
      {"stage 'large'", "'run' is missing"});
}

TEST(Study, RefusesAChangeOfAVariantsOwnStage) {
  const StudyFolder folder;
  const std::string variant = "variants=[{name: last, with: [{stage: ";
  expect_error([&] { folder.load({variant + "distilled, set: [seed=1]}]}]"}); },
               {"variant 'last'", "own stage 'distilled'"});
  expect_error([&] { folder.load({variant + "word}]}]"}); }, {"variant 'last'", "'word'", "did you mean 'words'"});
}

TEST(Study, TakesWhatItLeavesOutFromTheFileThatItExtends) {
  const StudyFolder folder;
  folder.write("more.yaml", "extends: DIR/study.yaml\nbaseline: mlp\nvariants: [{name: mlp}, {name: vlsi}]\n");
  const auto more = (folder / "more.yaml").string();
  const auto study = load_study(more, {"seeds=[5]"}), base = folder.load();
  EXPECT_EQ(study.out, base.out);
  EXPECT_EQ(study.base, "distilled");
  EXPECT_EQ(study.stages.size(), base.stages.size());
  EXPECT_EQ(study.evaluate[0].options, base.evaluate[0].options);
  EXPECT_EQ(study.baseline, "mlp");
  ASSERT_EQ(study.variants.size(), 2U) << "its own, not added to the other's";
  EXPECT_EQ(study.variants[1].title, "vlsi");
  EXPECT_EQ(study.seeds, std::vector<uint64_t>{5});

  folder.change("study.yaml", "cores: 2", "cores: 2\ncompare: [{variant: vlsi, minus: last}]");
  EXPECT_EQ(folder.load().compare.size(), 1U);
  EXPECT_TRUE(load_study(more, {}).compare.empty()) << "it is of the other file's variants";
  expect_error([&] { load_study(more, {"extends=none.yaml"}); }, {"more.yaml", "'extends' is 'none.yaml'", "no such"});
  expect_error([&] { load_study(more, {"extends=" + more}); },
               {"more.yaml", "'extends'", "extends another one itself"});
  folder.change("study.yaml", "cores: 2", "core: 2");
  expect_error([&] { load_study(more, {}); }, {"study.yaml", "line 6", "'core' is unknown"});
}

TEST(StageReference, IsWhatBeginsWithADollar) {
  EXPECT_FALSE(StageReference::parse("teacher/model"));
  EXPECT_FALSE(StageReference::parse(""));
  const auto reference = StageReference::parse("$teacher/model/x");
  ASSERT_TRUE(reference);
  EXPECT_EQ(reference->stage, "teacher");
  EXPECT_EQ(reference->rest, "/model/x");
  EXPECT_EQ(StageReference::parse("$teacher")->rest, "");
}

}  // namespace
}  // namespace vlsi::study_test
