// Results of a study in files, those of several machines together, and their tables.
#include "study/study_results.h"

#include <gtest/gtest.h>

#include <cmath>

#include "base/json.h"
#include "study/stage_record.h"
#include "study/study_tables.h"
#include "tests/study/study_files.h"
#include "tests/support/files.h"

namespace vlsi::study_results_test {
namespace {

StudyConfig study_of(const std::vector<std::string>& variants, const std::string& baseline) {
  StudyConfig study;
  for (const auto& name : variants) study.variants.push_back({name, "the " + name, "", {}, {}, {}});
  study.baseline = baseline;
  study.evaluate = {{"questions", {}}};
  return study;
}

/// A run with its predictions: a letter a question, r for right.
VariantResult make_result(const Folder& folder, const std::string& variant, uint64_t seed, const std::string& answers) {
  VariantResult result;
  result.variant = variant;
  result.seeds = {seed};
  result.fingerprint = concat(variant, seed);
  result.experiment = variant;
  result.folder = folder / concat(variant, seed);
  result.seconds = 60;
  result.seconds_with_inputs = 120 + 60 * static_cast<double>(seed);
  result.peak_memory_bytes = 3 << 20;
  result.processor = "a processor";
  EvaluationScore score;
  score.folder = result.folder / "questions";
  std::string lines;
  for (size_t i = 0; i < answers.size(); ++i) {
    const bool right = answers[i] == 'r';
    score.score += (right ? 100.0 : 0.0) / static_cast<double>(answers.size());
    lines += OrderedJson{{"id", concat("q", i)}, {"right", right}}.dump() + "\n";
  }
  score.categories = {{"first", answers[0] == 'r' ? 100.0 : 0.0}};
  write_text(score.folder / "predictions.jsonl", lines);
  result.evaluations["questions"] = score;
  return result;
}

/// Ends every stage of the study, the evaluations with a score.
StudyStages end_all(const study_test::StudyFolder& folder) {
  auto all = folder.expand();
  for (const auto& stage : all.stages) {
    write_text(stage.folder / "results.json", R"({"score": 50})");
    write_stage_record(stage, {0, 2, 1 << 20});
  }
  return all;
}

TEST(StudyResults, AreOfStagesThatAreDoneWithAllTheirInputs) {
  const study_test::StudyFolder folder;
  const auto all = end_all(folder);
  const auto names = [&] {
    std::vector<std::string> found;
    for (const auto& result : collect_results(folder.load(), all)) {
      found.push_back(result.variant);
      for (const uint64_t seed : result.seeds) found.back() += std::to_string(seed);
    }
    return found;
  };
  EXPECT_EQ(names(), (std::vector<std::string>{"teacher12", "vlsi1", "last1", "vlsi2", "last2"}))
      << "one teacher for both seeds";
  EXPECT_EQ(collect_results(folder.load(), all)[1].evaluations.at("questions").fingerprint,
            study_test::find_stage(all, "distilled-questions").asked);
  const auto& words = study_test::find_stage(all, "words", 2);
  const std::vector<std::string> without_the_second{"teacher12", "vlsi1", "last1"};
  std::filesystem::remove_all(words.folder);
  EXPECT_EQ(names(), without_the_second) << "an input is not there";
  std::filesystem::create_directories(words.folder);
  write_stage_record(words, {1, 2, 1});
  EXPECT_EQ(names(), without_the_second) << "an input was stopped";
}

TEST(StudyResults, ReadBackFromTheirFile) {
  const Folder folder;
  const auto written = make_result(folder, "vlsi", 3, "rw");
  write_results(folder.path(), {written});
  const auto read = load_results(folder.path());
  ASSERT_EQ(read.size(), 1U);
  EXPECT_EQ(read[0].variant, "vlsi");
  EXPECT_EQ(read[0].seeds, std::vector<uint64_t>{3});
  EXPECT_EQ(read[0].fingerprint, "vlsi3");
  EXPECT_EQ(read[0].experiment, "vlsi");
  EXPECT_EQ(read[0].folder, written.folder);
  EXPECT_EQ(read[0].seconds, 60);
  EXPECT_EQ(read[0].seconds_with_inputs, 300);
  EXPECT_EQ(read[0].peak_memory_bytes, 3 << 20);
  EXPECT_EQ(read[0].processor, "a processor");
  EXPECT_EQ(read[0].evaluations.at("questions").score, 50);
  EXPECT_EQ(read[0].evaluations.at("questions").categories.at("first"), 100);
  EXPECT_EQ(read_question_scores(read[0].evaluations.at("questions").folder), (QuestionScores{{"q0", 1}, {"q1", 0}}));
}

TEST(StudyResults, OfSeveralMachinesAreOrderedAndCountedOnce) {
  const Folder here, there;
  const auto study = study_of({"vlsi", "last"}, "last");
  write_results(here.path(), {make_result(here, "last", 2, "rw"), make_result(here, "vlsi", 2, "rr")});
  write_results(there.path(), {make_result(there, "vlsi", 2, "rr"), make_result(there, "vlsi", 1, "ww")});
  const auto merged = merge_results(study, {here.path(), there.path()});
  std::vector<std::string> names;
  for (const auto& result : merged) names.push_back(result.fingerprint);
  EXPECT_EQ(names, (std::vector<std::string>{"vlsi1", "vlsi2", "last2"}));
}

TEST(StudyResults, OfARunThatSeedsShareAreOneOfAllOfThem) {
  const Folder here, there;
  const auto study = study_of({"teacher", "vlsi"}, "vlsi");
  const auto teacher_of = [](const Folder& folder, const std::vector<uint64_t>& seeds) {
    auto result = make_result(folder, "teacher", 1, "rr");
    result.seeds = seeds;
    return result;
  };
  write_results(here.path(),
                {teacher_of(here, {1, 3}), make_result(here, "vlsi", 1, "rw"), make_result(here, "vlsi", 3, "ww")});
  write_results(there.path(), {teacher_of(there, {2, 5}), make_result(there, "vlsi", 2, "rw")});
  const auto merged = merge_results(study, {here.path(), there.path()});
  ASSERT_EQ(merged.size(), 4U);
  EXPECT_EQ(merged[0].seeds, (std::vector<uint64_t>{1, 2, 3, 5}));
  const auto tables = study_tables(study, merged);
  const auto& teacher = tables[0].rows[0];
  EXPECT_EQ(teacher.score.count, 1) << "it is one run";
  EXPECT_EQ(teacher.scores, (std::map<uint64_t, double>{{1, 100}, {2, 100}, {3, 100}, {5, 100}}));
  EXPECT_EQ(teacher.difference->over_seeds.count, 3) << "it is the teacher of each";
  EXPECT_NEAR(teacher.difference->over_seeds.mean, 200.0 / 3, 1e-9) << "a rounding of float64";
  auto shared = merged;
  shared.erase(shared.begin() + 1, shared.end());
  auto other = teacher_of(here, {1, 2, 3, 5});
  other.variant = "vlsi";
  shared.push_back(other);
  EXPECT_EQ(study_tables(study, shared)[0].rows[0].difference->over_seeds.count, 1) << "two runs, whatever their seeds";
}

TEST(StudyResults, OfAnotherStudyOrWithOtherNumbersAreRefused) {
  const Folder here, there, nothing;
  const auto study = study_of({"vlsi", "last"}, "last");
  const auto merge = [&] { merge_results(study, {here.path(), there.path()}); };
  write_results(here.path(), {make_result(here, "vlsi", 1, "rw")});
  write_results(there.path(), {make_result(there, "vlsi", 1, "wr")});
  const std::vector<std::string> other{"merging " + there.path().string(), "'vlsi' with seed 1 has other scores",
                                       here.path().string()};
  expect_error(merge, other);
  auto run = make_result(there, "vlsi", 1, "rw");
  run.fingerprint = "another";
  write_results(there.path(), {run});
  expect_error(merge, other);
  run = make_result(there, "vlsi", 2, "rw");
  run.experiment = "another";
  write_results(there.path(), {run});
  expect_error(merge, {"of another study", "'vlsi' was made by another configuration", here.path().string()});
  write_results(there.path(), {make_result(there, "sft", 1, "rw")});
  expect_error(merge, {"of another study", "a variant 'sft'"});
  expect_error([&] { merge_results(study, {nothing.path()}); }, {nothing.path().string(), "there is no results.json"});
}

TEST(StudyResults, OfAnEvaluationThatAskedSomethingElseAreRefused) {
  const Folder here, there;
  const auto study = study_of({"vlsi", "last"}, "last");
  const auto write = [](const Folder& folder, const std::string& variant, const std::string& asked) {
    auto run = make_result(folder, variant, 1, "rw");
    run.evaluations.at("questions").fingerprint = asked;
    write_results(folder.path(), {run});
  };
  const auto merge = [&] { return merge_results(study, {here.path(), there.path()}); };
  write(here, "vlsi", "limit 3");
  write(there, "last", "limit 12");
  expect_error(merge, {"merging " + there.path().string(), "its evaluation 'questions' has other options",
                       "than that in " + here.path().string()});
  write(there, "last", "");
  EXPECT_EQ(merge().size(), 2U) << "an older version does not say what it asked";
  write(there, "last", "limit 3");
  EXPECT_EQ(merge().at(1).evaluations.at("questions").fingerprint, "limit 3");
}

TEST(StudyResults, ThatAreBrokenAreRefused) {
  const Folder folder;
  const std::string run =
      R"({"variant": "a", "seeds": [1], "fingerprint": "", "experiment": "", "folder": "a", "seconds": 1,
                              "seconds_with_inputs": 1, "peak_memory_bytes": 1, "processor": "", "evaluations": )";
  for (const auto& [text, part] : std::map<std::string, std::string>{
           {R"({"format": 9, "runs": []})", "format"},
           {R"({"format": 2})", "'runs' is missing"},
           {R"({"format": 2, "runs": [{"variant": "a"}]})", "'seeds' is missing"},
           {R"({"format": 2, "runs": [{"variant": "a", "seeds": []}]})", "'seeds' is empty"},
           {R"({"format": 2, "runs": [)" + run + R"([]}]})", "'evaluations' is an array"},
           {R"({"format": 2, "runs": [)" + run + R"({"q": {"score": 1, "categories": {"c": "x"}, "folder": "q"}}}]})",
            "'c' is a string"},
       }) {
    folder.write("results.json", text);
    expect_error([&] { load_results(folder.path()); }, {"results.json", part});
  }
  folder.write("predictions.jsonl", "{\"id\": \"q\", \"score\": null}\n{\"id\": \"r\", \"score\": 0.5}\n");
  EXPECT_EQ(read_question_scores(folder.path()), (QuestionScores{{"r", 0.5}})) << "one was not scored";
  folder.write("predictions.jsonl", "{\"id\": \"q\"}\n");
  expect_error([&] { read_question_scores(folder.path()); },
               {"predictions.jsonl, line 1", "neither 'right' nor 'score'"});
}

TEST(StudyTables, HaveMeansAndPairedDifferences) {
  const Folder folder;
  const auto study = study_of({"last", "vlsi", "sft"}, "last");
  const auto tables =
      study_tables(study, {make_result(folder, "last", 1, "rwww"), make_result(folder, "last", 2, "wwww"),
                           make_result(folder, "last", 9, "rrrr"), make_result(folder, "vlsi", 1, "rrrw"),
                           make_result(folder, "vlsi", 2, "wwrw")});
  ASSERT_EQ(tables.size(), 1U);
  ASSERT_EQ(tables[0].rows.size(), 2U) << "the third has no results";
  const auto& vlsi = tables[0].rows[1];
  EXPECT_EQ(vlsi.title, "the vlsi");
  EXPECT_EQ(vlsi.score.mean, 50);
  EXPECT_EQ(vlsi.seconds_with_inputs.mean, 210);
  ASSERT_TRUE(vlsi.difference);
  EXPECT_EQ(vlsi.difference->over_seeds.count, 2) << "seed 9 is the baseline's alone";
  EXPECT_EQ(vlsi.difference->over_seeds.mean, 37.5) << "of 50 and 25";
  // 12.706 is t of one degree of freedom, 17.678 the deviation.
  EXPECT_NEAR(vlsi.difference->seeds_interval->high, 37.5 + 12.7062047 * 17.6776695 / std::sqrt(2), 1e-5);
  // Questions differ by 0, 0.5, 1 and 0 in the mean.
  EXPECT_GE(vlsi.difference->questions_interval->low, 0);
  EXPECT_LE(vlsi.difference->questions_interval->high, 100);
  EXPECT_LT(vlsi.difference->questions_interval->low, 37.5);
  EXPECT_GT(vlsi.difference->questions_interval->high, 37.5);
  EXPECT_FALSE(tables[0].rows[0].difference) << "the baseline";
}

TEST(StudyTables, HaveTheComparisonsThatAreAskedFor) {
  const Folder folder;
  auto study = study_of({"last", "vlsi", "sft"}, "last");
  study.compare = {{"vlsi", "sft"}, {"last", "sft"}};
  const auto tables = study_tables(study, {make_result(folder, "last", 2, "rr"), make_result(folder, "vlsi", 1, "rr"),
                                           make_result(folder, "sft", 1, "rw")});
  const auto& found = tables[0].comparisons;
  ASSERT_EQ(found.size(), 1U) << "the second has no seed in common";
  EXPECT_EQ(found[0].title, "the vlsi minus the sft");
  EXPECT_EQ(found[0].difference.over_seeds.mean, 50);
  const auto text = to_text(tables, StudyFormat::kText);
  EXPECT_NE(text.find("the vlsi minus the sft         +50.00"), std::string::npos) << text;
  const auto json = to_json(tables);
  EXPECT_EQ(json[0]["comparisons"][0]["minus"], "sft");
  EXPECT_EQ(json[0]["comparisons"][0]["difference"]["mean"], 50);
  EXPECT_EQ(json[0]["rows"][1]["scores"], (OrderedJson{{"1", 100.0}}));
}

TEST(StudyTables, LeaveOutTheBootstrapOfAScoreThatIsNoMeanOverQuestions) {
  const Folder folder;
  auto ours = make_result(folder, "vlsi", 1, "rw");
  ours.evaluations["questions"].score = 1234;
  const auto tables = study_tables(study_of({"last", "vlsi"}, "last"), {make_result(folder, "last", 1, "rw"), ours});
  ASSERT_TRUE(tables[0].rows[1].difference);
  EXPECT_FALSE(tables[0].rows[1].difference->questions_interval);
  EXPECT_FALSE(tables[0].rows[1].difference->seeds_interval) << "of one seed";
}

TEST(StudyTables, AreText) {
  const Folder folder;
  const auto tables = study_tables(study_of({"last", "vlsi"}, "last"),
                                   {make_result(folder, "last", 1, "rw"), make_result(folder, "last", 2, "ww"),
                                    make_result(folder, "vlsi", 1, "rr"), make_result(folder, "vlsi", 2, "rw")});
  EXPECT_EQ(to_text(tables, StudyFormat::kText),
            "questions          all        first    minutes  with inputs    MiB  seeds\n"
            "the last   25.0 ± 35.4  50.0 ± 70.7  1.0 ± 0.0    3.5 ± 0.7  3 ± 0      2\n"
            "the vlsi   75.0 ± 35.4  100.0 ± 0.0  1.0 ± 0.0    3.5 ± 0.7  3 ± 0      2\n"
            "\n"
            "questions, minus the last  difference   95 % over seeds  95 % over questions  seeds\n"
            "the vlsi                       +50.00  +50.00 to +50.00     +50.00 to +50.00      2\n");
  const auto markdown = to_text(tables, StudyFormat::kMarkdown);
  EXPECT_NE(markdown.find("| questions | all | first |"), std::string::npos) << markdown;
  EXPECT_NE(markdown.find("| the vlsi | +50.00 | +50.00 to +50.00 |"), std::string::npos) << markdown;
  const auto json = parse_json(to_text(tables, StudyFormat::kJson), "json");
  EXPECT_EQ(json[0]["rows"][1]["difference"]["seeds_interval"], (Json{50.0, 50.0}));
  EXPECT_EQ(json[0]["rows"][0]["difference"], nullptr);
  EXPECT_EQ(json[0]["rows"][0]["score"]["count"], 2);
}

}  // namespace
}  // namespace vlsi::study_results_test
