// Which stages a study needs, and which of them results share.
#include "study/stages.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>

#include "run/config.h"
#include "tests/study/study_files.h"

namespace vlsi::study_test {
namespace {

int64_t count(const StudyStages& all, const std::string& name) {
  return std::count_if(all.stages.begin(), all.stages.end(), [&](const auto& stage) { return stage.name == name; });
}

RunConfig config_of(const Stage& stage) { return read_settings<RunConfig>(parse_yaml(stage.run, "run"), "run"); }

/// Where names of the hub are looked for while it lives.
struct HubCache {
  explicit HubCache(const fs::path& folder) { ::setenv("HF_HUB_CACHE", folder.c_str(), 1); }
  HubCache(const HubCache&) = delete;
  HubCache& operator=(const HubCache&) = delete;
  ~HubCache() { ::unsetenv("HF_HUB_CACHE"); }
};

TEST(Stages, AreMadeOnceForAllThatNeedThem) {
  const StudyFolder folder;
  const auto all = folder.expand();
  EXPECT_EQ(count(all, "large"), 1);
  EXPECT_EQ(count(all, "teacher"), 1) << "one seed for all";
  EXPECT_EQ(count(all, "words"), 2) << "one a seed, for both variants";
  EXPECT_EQ(count(all, "distilled"), 2) << "the variant without changes";
  EXPECT_EQ(count(all, "last"), 2);
  EXPECT_EQ(count(all, "teacher-questions"), 1);
  EXPECT_EQ(all.stages.size(), 13U);
  ASSERT_EQ(all.results.size(), 6U);
  EXPECT_EQ(all.results[0].stage, all.results[3].stage) << "the teacher, with either seed";
}

TEST(Stages, StandBehindTheirInputs) {
  const StudyFolder folder;
  const auto all = folder.expand();
  for (size_t i = 0; i < all.stages.size(); ++i) {
    for (const size_t input : all.stages[i].inputs) EXPECT_LT(input, i);
  }
  const auto& result = all.results[1];
  std::vector<std::string> names;
  for (const size_t i : all.with_inputs(result.stage)) names.push_back(all.stages[i].name);
  EXPECT_EQ(names, (std::vector<std::string>{"large", "teacher", "words", "distilled"}));
}

TEST(Stages, AreConfiguredAsTheirVariantsAndInputsSay) {
  const StudyFolder folder;
  const auto all = folder.expand();
  const auto& teacher = find_stage(all, "teacher");
  const auto last = config_of(find_stage(all, "last", 2));
  EXPECT_EQ(last.seed, 2U);
  EXPECT_EQ(last.threads, 1);
  EXPECT_EQ(last.interact.intermediate_loss, LossKind::kNone);
  EXPECT_EQ(last.teacher.model, teacher.folder / "model");
  EXPECT_EQ(last.teacher.verbalizers, find_stage(all, "words", 2).folder / "teacher-verbalizers");
  EXPECT_EQ(last.out, find_stage(all, "last", 2).folder);
  EXPECT_EQ(config_of(find_stage(all, "distilled")).interact.intermediate_loss, LossKind::kKl);
  const auto of_teacher = config_of(teacher);
  EXPECT_EQ(of_teacher.threads, 2);
  EXPECT_EQ(of_teacher.interact.iterations, 0) << "vlsi finetune";
  EXPECT_EQ(of_teacher.student.model, find_stage(all, "large").folder / "model");
  const auto& arguments = find_stage(all, "large").arguments;
  EXPECT_EQ(arguments, (std::vector<std::string>{"--config=" + (folder / "large.json").string(),
                                                 "--tokenizer=" + (folder / "small").string(), "--seed=1"}));
  const auto& questions = find_stage(all, "last-questions", 2);
  EXPECT_EQ(questions.arguments.back(), "--model=" + (find_stage(all, "last", 2).folder / "model").string());
}

TEST(Stages, TakeTheirSeedsInTurns) {
  const StudyFolder folder;
  folder.change("study.yaml", "threads: 2, seeds: [1]", "threads: 2, seeds: [7, 8]");
  const auto all = folder.expand({"seeds=[1, 2, 3]"});
  EXPECT_EQ(count(all, "teacher"), 2);
  EXPECT_EQ(config_of(find_stage(all, "last", 1)).teacher.model, find_stage(all, "teacher", 7).folder / "model");
  EXPECT_EQ(config_of(find_stage(all, "last", 2)).teacher.model, find_stage(all, "teacher", 8).folder / "model");
  EXPECT_EQ(config_of(find_stage(all, "last", 3)).teacher.model, find_stage(all, "teacher", 7).folder / "model");
}

TEST(Stages, OfAPartOfTheSeedsAreThoseOfTheWhole) {
  const StudyFolder folder;
  folder.change("study.yaml", "seeds: [1, 2]", "seeds: [1, 2, 3, 4]");
  folder.change("study.yaml", "threads: 2, seeds: [1]", "threads: 2, seeds: [7, 8]");
  folder.write("part.yaml", "extends: DIR/study.yaml\n");
  const auto whole = folder.expand(), part = folder.expand({"seeds=[4, 3]"});
  for (const uint64_t seed : std::vector<uint64_t>{3, 4})
    EXPECT_EQ(find_stage(part, "last", seed).fingerprint, find_stage(whole, "last", seed).fingerprint) << seed;
  EXPECT_EQ(config_of(find_stage(part, "last", 4)).teacher.model, find_stage(part, "teacher", 8).folder / "model");
  const auto path = folder / "part.yaml";
  EXPECT_EQ(find_stage(vlsi::expand(load_study(path, {"seeds=[4]"}), path.string()), "last", 4).fingerprint,
            find_stage(whole, "last", 4).fingerprint)
      << "seeds of the file that it extends";
  const auto more = folder.expand({"seeds=[4, 9, 5]"});
  EXPECT_EQ(config_of(find_stage(more, "last", 9)).teacher.model, find_stage(more, "teacher", 7).folder / "model")
      << "behind the file's four";
  EXPECT_EQ(config_of(find_stage(more, "last", 5)).teacher.model, find_stage(more, "teacher", 8).folder / "model");
}

TEST(Stages, ReadPatternsAndNamesOfTheHub) {
  const StudyFolder folder;
  folder.write("hub/datasets--org--set/refs/main", "abc\n");
  folder.write("hub/datasets--org--set/snapshots/abc/train.json", "[]");
  folder.write("hub/models--org--small/refs/main", "abc\n");
  folder.write("hub/models--org--small/snapshots/abc/config.json", "{}");
  folder.write("parts/1.json", "[]");
  folder.write("parts/2.json", "[1]");
  folder.change("teacher.yaml", "DIR/data.json", "DIR/parts/*.json");
  folder.change("words.yaml", "DIR/data.json", "org/set");
  folder.change("study.yaml", "tokenizer=DIR/small", "tokenizer=org/small");
  const auto fingerprint = [&](const std::string& name) { return find_stage(folder.expand(), name).fingerprint; };
  const HubCache cache(folder / "hub");
  const auto teacher = fingerprint("teacher"), words = fingerprint("words");
  EXPECT_EQ(config_of(find_stage(folder.expand(), "words")).data.train[0].path, "org/set") << "as the command takes it";
  folder.write("parts/2.json", "[2]");
  EXPECT_NE(fingerprint("teacher"), teacher) << "a file of the pattern";
  folder.write("parts/2.json", "[1]");
  EXPECT_EQ(fingerprint("teacher"), teacher);
  EXPECT_EQ(fingerprint("words"), words);
  folder.write("hub/datasets--org--set/snapshots/abc/train.json", "[3]");
  EXPECT_NE(fingerprint("words"), words);
  EXPECT_EQ(fingerprint("teacher"), teacher);
  folder.write("hub/models--org--small/snapshots/abc/config.json", "{ }");
  EXPECT_NE(fingerprint("teacher"), teacher) << "what its model's tokenizer is from";
  folder.change("words.yaml", "org/set", "org/other");
  expect_error([&] { folder.expand(); }, {"key 'data.train.path': data: there is no file org/other", "hf download"});
}

TEST(Evaluations, AreKnownByWhatTheyAsk) {
  const StudyFolder folder;
  const auto asked = [&](const std::string& variant, uint64_t seed = 1) {
    return find_stage(folder.expand(), variant + "-questions", seed).asked;
  };
  const auto before = asked("last");
  EXPECT_FALSE(before.empty());
  EXPECT_EQ(asked("last", 2), before);
  EXPECT_EQ(asked("distilled"), before) << "another model";
  folder.change("study.yaml", "benchmark=easy-vqa", "benchmark=easy-vqa, images=elsewhere");
  EXPECT_EQ(asked("last"), before);
  folder.change("study.yaml", "images=elsewhere", "limit=3");
  EXPECT_NE(asked("last"), before);
  folder.change("study.yaml", "limit=3, ", "");
  EXPECT_EQ(asked("last"), before);
  folder.write("data.json", "[ ]");
  EXPECT_NE(asked("last"), before) << "other data";
}

TEST(Stages, ThatAVariantChangesAreItsOwnWithAllBehindThem) {
  const StudyFolder folder;
  folder.change("study.yaml", "title: VLsI}", "with: [{stage: words, set: [verbalize.architecture=mlp]}]}");
  const auto all = folder.expand({"seeds=[1]"});
  EXPECT_EQ(count(all, "words"), 2);
  EXPECT_EQ(count(all, "teacher"), 1);
  const auto& ours = all.stages[all.results[1].stage];
  EXPECT_EQ(config_of(all.stages[ours.inputs[1]]).verbalize.network.architecture->name, "mlp");
}

TEST(Fingerprints, TellWhatAStageIsMadeFromAndNotWhere) {
  const StudyFolder first, second;
  const auto a = first.expand(), b = second.expand();
  ASSERT_EQ(a.stages.size(), b.stages.size());
  for (size_t i = 0; i < a.stages.size(); ++i) {
    EXPECT_EQ(a.stages[i].fingerprint, b.stages[i].fingerprint) << a.stages[i].name << ", in another folder";
  }
  const auto fingerprint = [](const StudyFolder& folder, const std::string& name) {
    return find_stage(folder.expand(), name).fingerprint;
  };
  const auto before = fingerprint(first, "last"), teacher_before = fingerprint(first, "teacher");
  first.change("run.yaml", "finetune: {iterations: 4}",
               "threads: 3\nfinetune: {iterations: 4}\ncheckpoint: {every: 9}");
  EXPECT_EQ(fingerprint(first, "last"), before) << "how often it saves";
  first.change("run.yaml", "finetune: {iterations: 4}", "finetune: {iterations: 6}");
  EXPECT_NE(fingerprint(first, "last"), before);
  EXPECT_EQ(fingerprint(first, "teacher"), teacher_before);
  second.write("data.json", "[ ]");
  EXPECT_NE(fingerprint(second, "teacher"), teacher_before) << "other data";
  EXPECT_NE(fingerprint(second, "last"), before) << "another teacher";
}

TEST(Fingerprints, OfExperimentsLeaveOutSeeds) {
  const StudyFolder folder;
  const auto all = folder.expand();
  const auto &one = find_stage(all, "last", 1), &two = find_stage(all, "last", 2);
  EXPECT_NE(one.fingerprint, two.fingerprint);
  EXPECT_EQ(one.experiment, two.experiment);
  EXPECT_NE(one.experiment, find_stage(all, "distilled").experiment);
}

struct BadStages {
  std::string file, from, to;
  std::vector<std::string> parts;  // of the error
};

TEST(Stages, AreCheckedBeforeAnythingStarts) {
  const std::vector<BadStages> cases{
      {"run.yaml", "$words/student", "$wrods/student", {"variant 'vlsi'", "'$wrods' is no stage", "'$words'"}},
      {"teacher.yaml",
       "$large/model",
       "$distilled/model",
       {"made from each other", "teacher needs distilled needs teacher"}},
      {"study.yaml",
       "[interact.intermediate_loss=none]",
       "[interact.intermediate_los=none]",
       {"variant 'last': stage 'last'", "'interact.intermediate_los' is unknown", "intermediate_loss"}},
      {"study.yaml",
       "[interact.intermediate_loss=none]",
       "[interact.intermediate_loss=none, interact.last_loss=none]",
       {"variant 'last': stage 'last'", "both none"}},
      {"study.yaml", "[interact.intermediate_loss=none]", "[interact]", {"variant 'last'", "key=value"}},
      {"run.yaml", "DIR/small", "DIR/tiny", {"variant 'vlsi'", "'student.model'", "there is no", "tiny"}},
      {"run.yaml", "DIR/data.json", "DIR/no.json", {"variant 'vlsi'", "data.train.path'", "there is no", "no.json"}},
      {"study.yaml", "large.json", "no.json", {"variant 'teacher'", "'config'", "there is no", "no.json"}},
      {"study.yaml",
       "stage: teacher}",
       "stage: teacher, options: [dtype=float32]}",
       {"variant 'teacher'", "vlsi finetune", "takes 'set' alone"}},
      {"study.yaml", "stage: teacher}", "stage: large, set: [a=1]}", {"variant 'teacher'", "takes 'options' alone"}},
      {"study.yaml", "base: distilled", "base: answers\n", {"vlsi answer", "no model to evaluate"}},
  };
  for (const auto& bad : cases) {
    SCOPED_TRACE(bad.to);
    const StudyFolder folder;
    auto from = bad.from;
    if (from.starts_with("DIR")) from = (folder / from.substr(4)).string();
    folder.change("study.yaml", "  - {name: distilled",
                  "  - {name: answers, command: answer, options: [model=$teacher/model, data=DIR/data.json]}\n"
                  "  - {name: distilled");
    folder.change(bad.file, from, bad.to);
    expect_error([&] { folder.expand(); }, bad.parts);
  }
}

TEST(Stages, MayReadFilesThatOthersWillMake) {
  const StudyFolder folder;
  folder.change("study.yaml", "  - {name: distilled",
                "  - {name: answers, command: answer, options: [model=$teacher/model, data=DIR/data.json]}\n"
                "  - {name: distilled");
  folder.change("run.yaml", (folder / "data.json").string(), "$answers/answers.json");
  const auto all = folder.expand();
  const auto& answers = find_stage(all, "answers");
  EXPECT_EQ(config_of(find_stage(all, "last")).data.train[0].path, answers.folder / "answers.json");
  EXPECT_EQ(count(all, "answers"), 1) << "it draws nothing, so both seeds share it";
}

}  // namespace
}  // namespace vlsi::study_test
