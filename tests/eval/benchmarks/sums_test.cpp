// What benchmarks add up to, on files in their formats, against sums made by hand.
#include <gtest/gtest.h>

#include "tests/eval/score_files.h"

namespace vlsi {
namespace {

constexpr double kRounding = 0.005;  // the sums by hand have two decimals

TEST(PopeSums, AreThoseOfVlmEvalKit) {
  const Folder folder;
  const auto data = folder.write("POPE.tsv", table("index|question|answer|category\n"
                                                   "0|Dog?|Yes|random,popular,adversarial\n"
                                                   "1|Dog?|Yes|random,popular,adversarial\n"
                                                   "2|Dog?|No|random\n3|Dog?|No|popular\n"
                                                   "4|Dog?|No|adversarial\n5|Dog?|Yes|adversarial\n"));
  const auto summary = score("pope", "vlmevalkit", data, {"Yes", "No.", "no", "Yes!", "maybe", "not a dog"});
  EXPECT_NEAR(summary.json["score"].get<double>(), 54.55, kRounding) << summary.text;
  EXPECT_NEAR(figure(summary, "accuracy"), 40, kRounding);
  EXPECT_NEAR(figure(summary, "precision"), 75, kRounding);
  EXPECT_NEAR(figure(summary, "recall"), 42.86, kRounding);
  EXPECT_NEAR(figure(summary, "F1 random"), 66.67, kRounding);
  EXPECT_NEAR(figure(summary, "category random"), 66.67, kRounding);
  EXPECT_NEAR(figure(summary, "F1 adversarial"), 50, kRounding);
  EXPECT_NEAR(figure(summary, "category adversarial"), 25, kRounding);
  EXPECT_EQ(summary.json["unparsed"], 2);
}

TEST(PopeSums, AreThoseOfTheAuthorsForEachFile) {
  const Folder folder;
  const std::string line = R"({"question_id": 1, "image": "a.jpg", "text": "Dog?", "label": ")";
  folder.write("coco_pope_random.json",
               line + "yes\"}\n" + R"({"question_id": 2, "image": "a.jpg", "text": "Cat?", "label": "no"})");
  folder.write("coco_pope_popular.json", line + "no\"}\n");
  // The file of popular objects comes first. A capital NO is a yes to the authors.
  const std::vector<std::string> answers{"no", "NO", "no"};
  const auto official = score("pope", "official", folder.path(), answers);
  EXPECT_NEAR(figure(official, "accuracy popular"), 100, kRounding) << official.text;
  EXPECT_NEAR(figure(official, "F1 random"), 100, kRounding);
  EXPECT_NEAR(official.json["score"].get<double>(), 50, kRounding);
  const Folder small;
  small.write("small_pope_random.json", line + "yes\"}\n");
  EXPECT_EQ(figure(score("pope", "vlsi", small.path(), {"yes"}), "category random"), 100);
  const auto vlsi = score("pope", "vlsi", folder.path(), answers);
  EXPECT_NEAR(figure(vlsi, "category random"), 50, kRounding) << vlsi.text;
  EXPECT_NEAR(vlsi.json["score"].get<double>(), 75, kRounding);
}

TEST(PopeSums, TakeAFileThatNamesNoSplitForOne) {
  const Folder folder;
  const auto data = folder.write("mine.jsonl", R"({"question_id": 1, "image": "a.jpg", "text": "Dog?", "label": "yes"}
{"question_id": 2, "image": "a.jpg", "text": "Cat?", "label": "no"})");
  for (const char* profile : {"vlmevalkit", "lmms", "official", "vlsi"}) {
    const auto summary = score("pope", profile, data, {"yes", "no"});
    EXPECT_EQ(summary.json["score"], 100.0) << summary.text;
  }
}

TEST(ChartQaSums, OpenListsAsTheCommunitiesDo) {
  const Folder folder;
  const auto data = folder.write("test_augmented.json", R"json([
      {"imgname": "a.png", "query": "Which years?", "label": "[2008, 2009]"},
      {"imgname": "a.png", "query": "Which?", "label": "(3, 4)"}])json");
  const auto of = [&](const char* profile, const std::vector<std::string>& answers) {
    return score("chartqa", profile, data, answers).json["score"].get<double>();
  };
  for (const char* profile : {"lmms", "vlsi"}) EXPECT_EQ(of(profile, {"2008", "3"}), 0) << profile;
  EXPECT_EQ(of("lmms", {"[2008, 2009]", "(3, 4)"}), 100);
  EXPECT_EQ(of("vlmevalkit", {"2008", "(3, 4)"}), 100);
  EXPECT_EQ(of("vlmevalkit", {"[2008, 2009]", "3"}), 0);
}

TEST(MmmuSums, AreThoseOfTheValidationSplitInVlmEvalKitsTable) {
  const Folder folder;
  const auto data =
      folder.write("MMMU_DEV_VAL.tsv", table("index|id|question|A|B|answer|split\n0|dev_Art_1|Q|x|y|A|dev\n"
                                             "1|validation_Art_1|Q|x|y|A|validation\n"
                                             "2|validation_Art_Theory_2|Q|x|y|B|validation\n"));
  const auto summary = score("mmmu", "vlmevalkit", data, {"B", "A", "B"});
  EXPECT_EQ(summary.json["score"], 100.0) << summary.text;
  EXPECT_EQ(figure(summary, "subject Art_Theory"), 100);
  EXPECT_NEAR(score("mmmu", "lmms", data, {"B", "A", "B"}).json["score"].get<double>(), 66.67, kRounding);
}

TEST(HiddenAnswers, AreNotScored) {
  const Folder folder;
  const auto expect_none = [&](const char* benchmark, const std::filesystem::path& data,
                               const std::vector<const char*>& profiles) {
    for (const char* profile : profiles) {
      const auto summary = score(benchmark, profile, data, {"A"});
      EXPECT_NE(summary.text.find("not scored: no answer is known"), std::string::npos) << summary.text;
      EXPECT_EQ(summary.json["not_scored"], 1);
    }
  };
  expect_none("blink", folder.write("blink.json", R"([{"idx": "test_Art_Style_1", "question": "Q", "prompt": "Q",
      "sub_task": "Art_Style", "choices": ["x", "y"], "answer": "hidden"}])"),
              {"vlmevalkit", "lmms", "official", "vlsi"});
  expect_none("mmmu", folder.write("mmmu.json", R"([{"id": "test_Art_1", "question": "Q", "options": "['x', 'y']",
      "answer": "?", "question_type": "multiple-choice"}])"),
              {"vlmevalkit", "lmms", "official"});
  expect_none("qbench", folder.write("Q-Bench1_TEST.tsv", table("index|question|A|B\n0|Q|x|y\n")),
              {"vlmevalkit", "lmms", "vlsi"});
  expect_none("mathvista",
              folder.write("test.json", R"({"1": {"pid": "1", "question": "Q", "query": "Q", "choices": null,
      "answer": "", "question_type": "free_form", "answer_type": "integer", "precision": null}})"),
              {"vlmevalkit", "lmms", "official"});
}

TEST(HallusionBenchSums, GroupFiguresAndQuestions) {
  const Folder folder;
  std::string rows = "index|question|answer|category|l2-category\n";
  const char* keys[] = {"VD_video_1_3_0_0", "VD_video_1_3_0_1", "VD_video_1_3_1_0",
                        "VD_video_1_3_1_1", "VS_map_1_1_0_0",   "VS_map_1_1_1_0"};
  for (const char* key : keys) rows += concat(key, "|Is it?|Yes|", std::string(key, 2), "|", std::string(key, 5), "\n");
  const auto data = folder.write("HallusionBench.tsv", table(rows));
  const auto summary = score("hallusion-bench", "vlmevalkit", data, {"yes", "no", "yes", "yes", "yes", "Yes."});
  EXPECT_NEAR(summary.json["score"].get<double>(), 83.33, kRounding) << summary.text;
  EXPECT_NEAR(figure(summary, "fAcc"), 75, kRounding);
  EXPECT_NEAR(figure(summary, "qAcc"), 66.67, kRounding);
  EXPECT_NEAR(
      score("hallusion-bench", "vlsi", data, {"Yes", "NO", "eyes", "yes", "yes", "x"}).json["score"].get<double>(),
      66.67, kRounding);
  EXPECT_NE(score("hallusion-bench", "official", data, {"Yes"}).text.find("not scored"), std::string::npos);
}

TEST(MmeSums, AddAccuracyAndPairs) {
  const Folder folder;
  std::string rows = "index|question|answer|category|image_path\n";
  std::vector<std::string> answers;
  int index = 0;
  for (const char* task :
       {"existence", "count", "position", "color", "posters", "celebrity", "scene", "landmark", "artwork", "OCR",
        "commonsense_reasoning", "numerical_calculation", "text_translation", "code_reasoning"}) {
    for (const char* picture : {"1.png", "2.png"}) {
      for (const char* gold : {"Yes", "No"}) rows += concat(index++, "|Is it?|", gold, "|", task, "|", picture, "\n");
    }
    answers.insert(answers.end(), {"yes", "No.", "Yes", "yes"});
  }
  const auto data = folder.write("MME.tsv", table(rows));
  for (const char* profile : {"vlmevalkit", "lmms", "official", "vlsi"}) {
    const auto summary = score("mme", profile, data, answers);
    EXPECT_DOUBLE_EQ(summary.json["score"].get<double>(), 1750) << summary.text;
    EXPECT_DOUBLE_EQ(figure(summary, "perception"), 1250);
    EXPECT_DOUBLE_EQ(figure(summary, "cognition"), 500);
    EXPECT_DOUBLE_EQ(figure(summary, "OCR"), 125);
  }
}

TEST(MmbenchSums, CountAQuestionWithAllItsTurns) {
  const Folder folder;
  const auto data =
      folder.write("MMBench_DEV_EN.tsv", table("index|question|hint|A|B|C|D|answer|category|l2-category|split\n"
                                               "7|What?||cat|dog|fish|bird|A|identity|fine|dev\n"
                                               "1000007|What?||dog|fish|bird|cat|D|identity|fine|dev\n"
                                               "2000007|What?||fish|bird|cat|dog|C|identity|fine|dev\n"
                                               "3000007|What?||bird|cat|dog|fish|B|identity|fine|dev\n"
                                               "8|Who?|Look.|cat|dog|||B|scene|coarse|dev\n"));
  const auto of = [&](const char* profile, const std::vector<std::string>& answers) {
    return score("mmbench", profile, data, answers).json["score"].get<double>();
  };
  EXPECT_EQ(of("vlmevalkit", {"A", "D", "C", "B", "B"}), 100);
  EXPECT_EQ(of("vlmevalkit", {"A", "D", "C", "A", "B"}), 50);
  EXPECT_EQ(of("vlmevalkit", {"cat", "The answer is D", "C.", "B", "A"}), 50);
  EXPECT_EQ(of("vlmevalkit", {"A", "D", "C", "none of these", "B"}), 50);
  EXPECT_EQ(of("lmms", {"(A)", "D", "C.", "**B**", "A"}), 50);
  EXPECT_EQ(of("vlsi", {"A", "D", "C", "b", "B. dog"}), 80);
  const auto summary = score("mmbench", "vlmevalkit", data, {"A", "D", "C", "none of these", "B"});
  EXPECT_EQ(figure(summary, "l2-category coarse"), 100);
  EXPECT_EQ(figure(summary, "category identity"), 0);
  EXPECT_EQ(summary.json["unparsed"], 1);
}

TEST(CvBenchSums, WeighSourcesAndDimensions) {
  const Folder folder;
  std::string rows = "index|question|prompt|A|B|answer|source|type|task\n";
  std::vector<std::string> answers;
  int index = 0;
  const auto add = [&](const char* source, const char* type, int right, int total) {
    for (int i = 0; i < total; ++i) {
      rows += concat(index++, "|How many?|How many? (A) 1 (B) 2|1|2|(A)|", source, "|", type, "|Count\n");
      answers.push_back(i < right ? "(A)" : "(B)");
    }
  };
  add("ADE20K", "2D", 2, 4);
  add("COCO", "2D", 1, 2);
  add("Omni3D", "3D", 3, 5);
  const auto data = folder.write("CV-Bench.tsv", table(rows));
  EXPECT_NEAR(score("cv-bench", "official", data, answers).json["score"].get<double>(), 55, kRounding);
  EXPECT_NEAR(score("cv-bench", "vlsi", data, answers).json["score"].get<double>(), 55, kRounding);
  EXPECT_NEAR(score("cv-bench", "lmms", data, answers).json["score"].get<double>(), 54.55, kRounding);
  const auto own = score("cv-bench", "vlmevalkit", data, answers);
  EXPECT_NEAR(own.json["score"].get<double>(), 50, kRounding);
  EXPECT_NEAR(figure(own, "3D"), 60, kRounding);
  EXPECT_EQ(score("cv-bench", "vlsi", data, {"", "A)"}).json["unparsed"], 1);
}

TEST(MmstarSums, AverageTheFinerCapabilities) {
  const Folder folder;
  std::string rows = "[";
  const char* kinds[] = {"a", "a", "a", "a", "b"};
  for (int i = 0; i < 5; ++i) {
    rows += concat(i > 0 ? "," : "", R"({"index": )", i,
                   R"(, "question": "What? A: x, B: y", "answer": "A", "category": "math", "l2_category": ")", kinds[i],
                   "\"}");
  }
  const auto data = folder.write("mmstar.json", rows + "]");
  const std::vector<std::string> answers{"A", "A.", "(A)", "B", "B"};
  EXPECT_NEAR(score("mmstar", "lmms", data, answers).json["score"].get<double>(), 37.5, kRounding);
  EXPECT_NEAR(score("mmstar", "official", data, answers).json["score"].get<double>(), 0.2, kRounding);
}

TEST(MmmuSums, WeighSubjectsByTheirQuestionsAndTakeOpenOnes) {
  const Folder folder;
  const auto data = folder.write(
      "mmmu.jsonl",
      R"({"id": "validation_Art_Theory_1", "question": "Which <image 1>?", "options": "['x', 'y']", "answer": "B", "question_type": "multiple-choice"}
{"id": "validation_Math_2", "question": "How many?", "options": "[]", "answer": "24.5", "question_type": "open"}
{"id": "validation_Math_3", "question": "Where?", "options": "[]", "answer": "['Tampa', 'Florida']", "question_type": "open"})");
  const std::vector<std::string> answers{"(B)", "The answer is 24.50", "tampa bay"};
  const auto of = [&](const char* profile) { return score("mmmu", profile, data, answers); };
  EXPECT_NEAR(of("official").json["score"].get<double>(), 100, kRounding);
  EXPECT_NEAR(of("lmms").json["score"].get<double>(), 66.67, kRounding);
  EXPECT_NEAR(of("lmms@75571cfe").json["score"].get<double>(), 33.33, kRounding);
  EXPECT_NEAR(of("vlmevalkit").json["score"].get<double>(), 66.67, kRounding);
  EXPECT_NEAR(figure(of("official"), "discipline Science"), 100, kRounding);
  EXPECT_NEAR(figure(of("lmms"), "subject Math"), 50, kRounding);
}

TEST(MathVistaSums, CountWhatOnlyAJudgeCouldRead) {
  const Folder folder;
  const auto data = folder.write("testmini.json", R"({
 "1": {"pid": "1", "question": "Which?", "query": "Hint: pick. Which?", "choices": ["Yes", "No"], "answer": "No", "question_type": "multi_choice", "answer_type": "text", "precision": null, "metadata": {"task": "geometry", "skills": ["logic", "algebra"]}},
 "2": {"pid": "2", "question": "How many?", "query": "How many?", "choices": null, "answer": "14", "question_type": "free_form", "answer_type": "integer", "precision": null, "metadata": {"task": "geometry", "skills": ["logic"]}},
 "3": {"pid": "3", "question": "How long?", "query": "How long?", "choices": null, "answer": "1.2", "question_type": "free_form", "answer_type": "float", "precision": 1.0, "metadata": {"task": "figure", "skills": []}}})");
  const std::vector<std::string> answers{"I think so", "14", "1.25"};
  const auto official = score("mathvista", "official", data, answers);
  EXPECT_NEAR(official.json["score"].get<double>(), 100, kRounding) << official.text;
  EXPECT_EQ(official.json["unparsed"], 1);
  EXPECT_NEAR(figure(official, "skills logic"), 100, kRounding);
  EXPECT_NEAR(score("mathvista", "lmms", data, answers).json["score"].get<double>(), 66.67, kRounding);
  EXPECT_NEAR(score("mathvista", "vlmevalkit", data, answers).json["score"].get<double>(), 33.33, kRounding);
}

}  // namespace
}  // namespace vlsi
