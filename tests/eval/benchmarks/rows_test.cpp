// The files of benchmarks: their prompts and pictures, answers from elsewhere, and what is refused.
#include "eval/rows.h"

#include <gtest/gtest.h>

#include "base/base64.h"
#include "eval/predictions.h"
#include "tests/eval/score_files.h"

namespace vlsi {
namespace {

std::unique_ptr<Benchmark> open(const std::string& name, const std::filesystem::path& data,
                                const std::string& profile = "vlmevalkit") {
  return benchmarks().find(name)->open({data, {}, ChosenProfile(profile)});
}

std::string prompt_of(const Benchmark& benchmark, int64_t question) {
  return text_of(benchmark.questions().read(question, false).turns.back());
}

const std::string kTwoOptions = "index|question|A|B|answer\n0|Which?|cat|dog|A\n";

TEST(BenchmarkPrompts, AreThoseOfTheProfiles) {
  const Folder folder;
  const auto data =
      folder.write("AI2D_TEST.tsv", table("index|question|hint|A|B|C|answer\n0|Which?|Look.|cat|N/A|dog|C\n"));
  EXPECT_EQ(prompt_of(*open("ai2d", data), 0),
            "Hint: Look.\nQuestion: Which?\nOptions:\nA. cat\nC. dog\nPlease select the correct answer from the "
            "options above. \n");
  EXPECT_EQ(prompt_of(*open("ai2d", data, "lmms"), 0),
            "Which?\nA. cat\nC. dog\nAnswer with the option's letter from the given choices directly.");
  EXPECT_EQ(prompt_of(*open("ai2d", data, "vlsi"), 0),
            "Which?\nA. cat C. dog\nAnswer with the option's letter from the given choices directly.");
  EXPECT_ERROR(open("ai2d", data, "official"), "benchmark ai2d has no profile 'official'; it has vlmevalkit, ");
}

TEST(BenchmarkPrompts, LeaveOutWhatTheHubHasForNoOption) {
  const Folder folder;
  const auto data = folder.write("mmbench.json", R"([{"index": 1, "question": "Which?", "hint": "nan", "A": "cat",
      "B": "dog", "C": "nan", "D": "nan", "answer": "A"}])");
  EXPECT_EQ(prompt_of(*open("mmbench", data, "lmms"), 0),
            "Which? There are several options:\nA. cat\nB. dog\n\n"
            "Answer with the option's letter from the given choices directly.");
  EXPECT_EQ(prompt_of(*open("mmbench", data), 0),
            "Question: Which?\nOptions:\nA. cat\nB. dog\nPlease select the correct answer from the options above. \n");
  EXPECT_EQ(prompt_of(*open("mmbench", data, "vlsi"), 0),
            "Which?\nA. cat\nB. dog\nAnswer with the option's letter from the given choices directly.");
  EXPECT_EQ(score("mmbench", "vlmevalkit", data, {"nanny cat"}).json["score"], 100.0);
  // lmms-eval has "nan" among the texts that it looks for, in whatever file the others are.
  const auto same = folder.write("mmbench.tsv", table("index|question|hint|A|B|C|D|answer\n1|Which?||cat|dog|||A\n"));
  for (const auto& file : {data, same}) {
    EXPECT_EQ(score("mmbench", "lmms", file, {"nanny cat"}).json["score"], 0.0);
    EXPECT_EQ(score("mmbench", "lmms", file, {"a cat"}).json["score"], 100.0);
  }
}

TEST(BenchmarkPrompts, HaveTheOptionsOfATablesColumnsOnce) {
  const Folder folder;
  const auto mmstar = folder.write("MMStar.tsv", table("index|question|A|B|answer\n0|Which?|a cat|dog|A\n"
                                                       "1|\"Which?\nOptions: A: a cat, B: dog\"|a cat|dog|A\n"));
  for (const int64_t question : {0, 1}) {
    EXPECT_EQ(prompt_of(*open("mmstar", mmstar, "lmms"), question),
              "Which?\nOptions: A: a cat, B: dog\nAnswer with the option's letter from the given choices directly");
  }
  EXPECT_EQ(prompt_of(*open("mmstar", mmstar, "official"), 0),
            "Which?\nA. a cat\nB. dog\nAnswer with the option's letter from the given choices directly.");
  EXPECT_EQ(prompt_of(*open("mmstar", mmstar, "vlsi"), 1),
            "Which?\nOptions: A: a cat, B: dog\nAnswer with the option's letter from the given choices directly.");
  const std::string asked =
      "Which?\n\nA. cat\nB. dog\nPlease answer directly with only the letter of the correct option and nothing else.";
  const auto real = folder.write(
      "RealWorldQA.tsv", table(concat("index|question|A|B|answer\n0|Which?|cat|dog|A\n1|\"", asked, "\"|cat|dog|A\n")));
  for (const int64_t question : {0, 1}) EXPECT_EQ(prompt_of(*open("realworldqa", real, "lmms"), question), asked);
}

TEST(BenchmarkPrompts, AreNotMadeOfWhatTheAuthorsWroteThemFor) {
  const Folder folder;
  const auto without =
      folder.write("t.tsv", table("index|question|A|B|answer|category\n0|Which?|cat|dog|A|Counting\n"));
  for (const char* profile : {"lmms", "official", "vlsi"}) {
    EXPECT_ERROR(open("blink", without, profile),
                 concat("t.tsv, row 1: has no 'prompt', which is what profile ", profile,
                        " asks: take rows of BLINK-Benchmark/BLINK, or --profile vlmevalkit"));
  }
  EXPECT_EQ(open("blink", without)->questions().size(), 1);
  for (const char* profile : {"vlmevalkit", "lmms", "official", "vlsi"}) {
    EXPECT_ERROR(open("cv-bench", without, profile), "take rows of nyu-visionx/CV-Bench, or VLMEvalKit's table with");
  }
  const auto with = folder.write(
      "p.tsv", table("index|question|prompt|A|B|answer\n0|Which?|Which? Choose. (A) cat (B) dog|cat|dog|A\n"));
  EXPECT_EQ(prompt_of(*open("cv-bench", with), 0), "Which? Choose. (A) cat (B) dog");
  EXPECT_EQ(prompt_of(*open("blink", with, "lmms"), 0),
            "Note: You only need to respond with A, B without providing any additional information.\n"
            "Which? Choose. (A) cat (B) dog");
}

TEST(BenchmarkPrompts, AskMathVistaWithItsChoices) {
  const Folder folder;
  const std::string query = "Hint: Pick.\nQuestion: Which?\nChoices:\n(A) cat\n(B) dog";
  const auto hub = folder.write("testmini.json", Json{{"1",
                                                       {{"pid", "1"},
                                                        {"question", "Which?"},
                                                        {"query", query},
                                                        {"choices", {"cat", "dog"}},
                                                        {"answer", "dog"},
                                                        {"question_type", "multi_choice"},
                                                        {"answer_type", "text"}}}}
                                                     .dump());
  const auto kit = folder.write(
      "MathVista_MINI.tsv", table(concat("index|question|choices|answer|answer_option|question_type|answer_type\n0|\"",
                                         query, "\"|['cat', 'dog']|dog|B|multi_choice|text\n")));
  for (const auto& data : {hub, kit}) {
    EXPECT_EQ(prompt_of(*open("mathvista", data), 0), query);
    for (const char* answer : {"B", "(B) dog", "dog"}) {
      EXPECT_EQ(score("mathvista", "vlmevalkit", data, {answer}).json["score"], 100.0) << answer;
    }
    EXPECT_EQ(score("mathvista", "vlmevalkit", data, {"A"}).json["score"], 0.0);
  }
  const std::string request = "\nAnswer with the option's letter from the given choices directly.";
  EXPECT_EQ(prompt_of(*open("mathvista", hub, "lmms"), 0), "Which?\nA. cat\nB. dog" + request);
  EXPECT_EQ(prompt_of(*open("mathvista", kit, "lmms"), 0), query + request);
}

TEST(BenchmarkPrompts, PutPicturesWhereTheirMarkersAre) {
  const Folder folder;
  const auto data = folder.write(
      "mmmu.jsonl",
      R"({"id": "validation_Art_1", "question": "Is <image 2> like <image 1>?", "options": "['x', 'y']", "answer": "B", "question_type": "multiple-choice", "image_1": {"path": "a.png"}, "image_2": "b.png"})");
  const auto turn = open("mmmu", data)->questions().read(0, false).turns[0];
  ASSERT_EQ(turn.contents.size(), 5);
  EXPECT_EQ(turn.contents[0].text, "Question: Is ");
  EXPECT_EQ(turn.contents[1].image.filename(), "b.png");
  EXPECT_EQ(turn.contents[3].image, folder.path() / "a.png");
  EXPECT_EQ(open("mmmu", data, "lmms")->questions().read(0, false).turns[0].contents.size(), 3);
}

TEST(BenchmarkTables, AreNamedInTheDocument) {
  const auto text = content_of(std::filesystem::path(VLSI_SOURCE_DIR) / "docs/evaluation.md");
  for (const auto& benchmark : benchmarks()) {
    for (const auto& name : benchmark.tables) EXPECT_NE(text.find("`" + name + "`"), std::string::npos) << name;
  }
}

TEST(BenchmarkRows, ShareAPictureByItsIndex) {
  const Folder folder;
  const auto picture = base64(std::string(60, 'p')), other = base64(std::string(90, 'q'));
  const auto data = folder.write(
      "t.tsv", table(concat("index|image|question|A|B|answer\n0|", picture, "|Q|x|y|A\n1|0|Q|x|y|A\n2||Q|x|y|A\n",
                            "3|\"['", picture, "', '", other, "']\"|Q|x|y|A\n4|9|Q|x|y|A\n5|1|Q|x|y|A\n6|6|Q|x|y|A\n7|",
                            picture, "!|Q|x|y|A\n")));
  const Rows rows(data);
  ASSERT_EQ(rows.size(), 7);  // the row without a picture is left out
  const auto pictures = [&](int64_t row) { return *rows.table_pictures(row, {}); };
  EXPECT_EQ(pictures(0)[0].picture_file, std::string(60, 'p'));
  EXPECT_EQ(pictures(1)[0].picture_file, std::string(60, 'p'));
  ASSERT_EQ(pictures(2).size(), 2);
  EXPECT_EQ(pictures(2)[1].picture_file, std::string(90, 'q'));
  EXPECT_ERROR(pictures(3),
               "t.tsv, row 5: column 'image' is '9', expected base64 or the index of a row with a picture");
  EXPECT_ERROR(pictures(4), "names the row of index '1', which has no picture of its own");
  EXPECT_ERROR(pictures(5), "names the row of index '6', which has no picture of its own");
  EXPECT_ERROR(pictures(6), "is no base64");
}

TEST(BenchmarkRows, AreReadFromFoldersAndObjects) {
  const Folder folder;
  folder.write("b.json", R"({"v1": {"x": 1}, "v2": {"x": 2}})");
  folder.write("a.jsonl", "{\"x\": 0}\n{\"x\": 5}\n");
  folder.write("notes.txt", "x");
  const Rows rows(folder.path());
  ASSERT_EQ(rows.size(), 4);
  EXPECT_EQ(rows.row(1), (Json{{"x", 5}}));
  EXPECT_EQ(rows.row(3), (Json{{"x", 2}, {"__key", "v2"}}));
  EXPECT_EQ(rows.file(3), "b");
  EXPECT_NE(rows.place(3).find("key \"v2\""), std::string::npos);
}

TEST(BenchmarkRows, RefuseOtherFiles) {
  const Folder folder;
  const auto refused = [&](const std::string& name, const std::string& text) { Rows(folder.write(name, text)); };
  EXPECT_ERROR(refused("a.parquet", "PAR1"), "a.parquet: does not end with PAR1");
  EXPECT_ERROR(refused("a.xlsx", "PK"), "is a spreadsheet");
  EXPECT_ERROR(refused("a.json", "{\"a\": {\"x\": 1},\n \"b\": [1]}"),
               "key \"b\" is an array, expected the object of a record");
  for (const char* blank : {" ", "\n "}) {
    EXPECT_ERROR(
        refused("a.json",
                concat("{\"name\": \"x\",", blank, "\"data\": [{\"question\": \"Q\"}, {\"question\": \"R\"}]}")),
        "a.json: is an object with a list of 2 objects under 'data', expected an array of records or one record "
        "a line: write that list alone into a file");
  }
  EXPECT_ERROR(refused("a.json", "{\"question_type\": {\"x\": 1}, \"questions\": [{\"data_id\": \"a\"}]}"),
               "under 'questions'");
  EXPECT_ERROR(Rows(Folder().path()), "");
  const auto of = [&](const std::string& text) { open("ai2d", folder.write("t.tsv", table(text))); };
  EXPECT_ERROR(of("index|A|B|answer\n0|x|y|A\n"), "row 1: 'question' or 'Question' or 'prompt' is missing");
  EXPECT_ERROR(of("index|question|A|B|answer\n0|Q|x|y|D\n"), "the answer is D, and there is no such option");
  EXPECT_ERROR(of("index|question|A|B|answer\n0|Q|x|y|-1\n"), "the answer is -1, and there is no such option");
  EXPECT_ERROR(of("index|question|A|B|answer\n0|Q|x|y|40\n"), "the answer is 40, and there is no such option");
  EXPECT_ERROR(of("index|question|answer\n0|Q|A\n"), "row 1: has no columns A, B, … with the options");
  EXPECT_ERROR(of("index|image|question|A|B|answer\n0||Q|x|y|A\n"), "has no rows with a picture in column 'image'");
  EXPECT_ERROR(refused("empty.json", "{}"), "empty.json: has no rows");
  EXPECT_ERROR(open("scienceqa", folder.write("problems.json", R"({"1": {"question": "Q", "choices": ["x", "y"],
      "answer": 0, "hint": "", "image": "image.png", "split": "test"}})")),
               "has every split in one file");
  EXPECT_ERROR(open("mme", folder.write("MME.tsv", table("index|question|answer|category|image_path\n"
                                                         "0|One?|Yes|../count|a/1.png\n"))),
               "row 1: 'category' is \"../count\", expected one of MME's 14 tasks");
  EXPECT_ERROR(of("index|question|A|B|answer\n0|Q|x|y|A\n0|Q|x|y|A\n"), "the id \"0\" is there twice");
  const auto letters = folder.write("MMStar.tsv", table("index|question|A|B|answer|category|image_path\n"
                                                        "VD_video_1_3_0_0|Q|x|y|A|count|a\n"));
  for (const char* name : {"pope", "mme", "hallusion-bench"}) {
    EXPECT_ERROR(open(name, letters), "MMStar.tsv, row 1: the answer is \"A\", expected Yes or No");
  }
  EXPECT_ERROR(open("hallusion-bench", folder.write("h.json", R"([{"question": "Q", "gt_answer": "A"}])")),
               "record 1: 'gt_answer' is \"A\", expected 0 or 1");
  std::string list = "[";
  for (int i = 0; i < 40; ++i) list += concat(i > 0 ? ", " : "", i);
  EXPECT_ERROR(
      open("ai2d", folder.write("many.jsonl", R"({"question": "Q", "answer": "0", "options": )" + list + "]}")),
      "has 40 options, expected at most 26");
}

TEST(BenchmarkRows, MayHaveAFewAnswersThatAreNoOption) {
  const Folder folder;
  const auto data = folder.write("rw.tsv", table("index|question|A|B|answer\n0|Q|x|y|A\n1|Q|x|y|C\n"));
  EXPECT_EQ(score("realworldqa", "vlmevalkit", data, {"A", "A"}).json["score"], 50.0);
}

TEST(Predictions, AreReadInTheFormsOfTheirPrograms) {
  const Folder folder;
  const auto benchmark =
      open("ai2d", folder.write("t.tsv", table("index|question|A|B|answer\n5|Q|cat|dog|A\n6|R|cat|dog|B\n")));
  using Answers = std::vector<std::pair<int64_t, std::string>>;
  const auto read = [&](const std::string& name, const std::string& text) {
    return read_predictions(folder.write(name, text), *benchmark);
  };
  EXPECT_EQ(read("p.tsv", table("index|question|prediction\n6|R|\"B\n\"\n5|Q|N/A\n")),
            (Answers{{0, "nan"}, {1, "B\n"}}));
  EXPECT_EQ(read("p.json", R"([{"index": 6, "prediction": "B"}])"), (Answers{{1, "B"}}));
  EXPECT_EQ(read("samples.jsonl", R"({"doc_id": 1, "resps": [["x"]], "filtered_resps": ["B"]}
{"doc_id": 0, "resps": [["A"]]})"),
            (Answers{{0, "A"}, {1, "B"}}));
  EXPECT_EQ(read("byid.json", R"({"5": "A"})"), (Answers{{0, "A"}}));
  EXPECT_EQ(read("predictions.jsonl", R"({"id": "5", "prompt": "p", "answer": "A"})"), (Answers{{0, "A"}}));
  EXPECT_ERROR(read("other.json", R"([{"index": 7, "prediction": "B"}])"), "record 1: answers question \"7\", which");
  EXPECT_ERROR(read("twice.json", R"([{"index": 5, "prediction": "B"}, {"index": 5, "prediction": "B"}])"),
               "is the second answer to question \"5\"");
  const auto both = open("mmmu", folder.write("both.tsv", table("index|id|question|A|B|answer\n"
                                                                "3|validation_Art_1|Q|cat|dog|A\n")));
  EXPECT_EQ(read_predictions(folder.write("both_p.tsv", table("index|id|prediction\n3|validation_Art_1|B\n")), *both),
            (Answers{{0, "B"}}));
  EXPECT_ERROR(read("far.jsonl", R"({"doc_id": 2, "resps": [["x"]]})"), "answers question 2, which");
  EXPECT_ERROR(read("bad.json", R"([{"prediction": "B"}])"), "has none of 'index', 'id' and 'doc_id'");
  EXPECT_ERROR(read("bad2.json", R"([{"index": 5}])"), "has none of 'prediction', 'answer' and 'response'");
}

TEST(Predictions, AreScoredWithWhatIsMissing) {
  const Folder folder;
  const auto benchmark = open(
      "ai2d", folder.write("t.tsv", table("index|question|A|B|answer\n5|Q|cat|dog|A\n6|R|cat|dog|B\n7|S|cat|dog|B\n")));
  const auto answers = folder.write("p.tsv", table("index|prediction\n5|A\n6|it is a cow\n"));
  const auto summary = score_predictions(*benchmark, answers, 3, folder.path() / "lines.jsonl");
  EXPECT_EQ(summary.json["score"], 50.0);
  EXPECT_EQ(summary.json["unparsed"], 1);
  EXPECT_EQ(summary.json["unanswered"], 1);
  const auto lines = content_of(folder.path() / "lines.jsonl");
  EXPECT_NE(lines.find(R"("answer":"A","parsed":"A","score":1.0})"), std::string::npos) << lines;
  EXPECT_NE(lines.find(R"("answer":"it is a cow","parsed":null,"score":0.0})"), std::string::npos) << lines;
  EXPECT_EQ(score_predictions(*benchmark, answers, 1, folder.path() / "lines.jsonl").json["score"], 100.0);
}

TEST(Submissions, AreFilesThatTheAuthorsTake) {
  const Folder folder;
  const auto mme =
      open("mme", folder.write("MME.tsv", table("index|question|answer|category|image_path\n0|One?|Yes|count|a/1.png\n"
                                                "1|One?|Yes|count|a/2.png\n2|Two?|No|count|a/1.png\n")));
  mme->submit({{0, "Yes\nit is"}, {1, "No"}, {2, "no"}}, folder.path());
  EXPECT_EQ(content_of(folder / "submission/count.txt"),
            table("1.png|One?|Yes|Yes it is\n1.png|Two?|No|no\n2.png|One?|Yes|No\n"));
  const auto mmbench =
      open("mmbench",
           folder.write("MMBench_TEST_EN.tsv", table("index|question|A|B|category\n3|\"Say \"\"x\"\"\"|cat|dog|c\n")));
  mmbench->submit({{0, "B"}}, folder.path());
  EXPECT_EQ(content_of(folder / "submission.tsv"),
            table("index|question|A|B|C|D|prediction\n3|\"Say \"\"x\"\"\"|cat|dog|||B\n"));
  const auto vet = open(
      "mm-vet",
      folder.write("mm-vet.json",
                   R"({"v1_0": {"imagename": "a.png", "question": "What?", "answer": "x", "capability": ["ocr"]}})"));
  vet->submit({{0, "a\nb"}}, folder.path());
  EXPECT_EQ(Json::parse(content_of(folder / "submission.json")), (Json{{"v1_0", "a\nb"}}));
}

}  // namespace
}  // namespace vlsi
