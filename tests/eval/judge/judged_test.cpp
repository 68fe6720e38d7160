// Benchmarks with a judge: what each community asks, how often, and what it makes of the reply.
#include "base/base64.h"
#include "eval/judging.h"
#include "tests/eval/judge/judge_of.h"
#include "tests/eval/score_files.h"

namespace vlsi {
namespace {

using judge_test::http;
using judge_test::Received;
using judge_test::says;
using judge_test::ScriptedServer;

class Judged : public testing::Test {
 protected:
  std::unique_ptr<Benchmark> open(const std::string& name, const std::string& profile, const ScriptedServer& server) {
    return benchmarks().find(name)->open({data_, {}, ChosenProfile(profile), judge_test::judge_of(server, folder_)});
  }
  static std::string prompt_of(const ScriptedServer& server, size_t number) {
    return server.body(number).at("messages").back().at("content");
  }
  void prompt(const std::string& name, const std::string& text) { folder_.write("prompts/" + name + ".txt", text); }
  void data(const std::string& name, const std::string& text) { data_ = folder_.write(name, text); }
  void mm_vet() {
    prompt("mm-vet", "Examples");
    data(
        "mm-vet.json",
        R"({"v1_0": {"imagename": "a.jpg", "question": "How many?", "answer": "two<AND>2", "capability": ["ocr", "rec"]}})");
  }

  const Folder folder_;
  std::filesystem::path data_;
};

TEST_F(Judged, MmVetByItsAuthorsAsksAgainWithMoreHeat) {
  mm_vet();
  const ScriptedServer server({says("I think 1"), says("2.0"), says("0.7 since")});
  const auto benchmark = open("mm-vet", "official", server);
  const auto verdict = benchmark->judge(0, "three");
  EXPECT_EQ(verdict.score, 0.7);
  EXPECT_TRUE(verdict.scored && verdict.parsed && verdict.judged);
  EXPECT_EQ(verdict.line.at("judge"), "0.7 since");
  ASSERT_EQ(server.num_received(), 3);
  const std::string line = "Examples\nHow many? | two <AND> 2 | three | ";
  EXPECT_EQ(prompt_of(server, 0), line);
  EXPECT_EQ(prompt_of(server, 1), line + "\nPredict the correctness of the answer (digit): ");
  EXPECT_EQ(server.body(0).at("max_tokens"), 3);
  for (size_t i = 0; i < 3; ++i) EXPECT_EQ(server.body(i).at("temperature"), 0.5 * static_cast<double>(i));

  const auto summary = benchmark->summarize({verdict});
  EXPECT_TRUE(summary.text.starts_with("mm-vet (official, judge judge) total")) << summary.text;
  EXPECT_EQ(summary.json.at("judge").at("asked"), 1);
  EXPECT_EQ(summary.json.at("categories").at("capability ocr").at("score"), 70);
}

TEST_F(Judged, MmVetOfNonsenseIsZeroAndCounted) {
  mm_vet();
  for (const auto& [profile, tries] : {std::pair("official", 6), std::pair("vlmevalkit", 5)}) {
    const ScriptedServer server({says("good")});
    std::filesystem::remove_all(folder_ / "cache");
    const auto benchmark = open("mm-vet", profile, server);
    const auto verdict = benchmark->judge(0, "x");
    EXPECT_EQ(server.num_received(), tries) << profile;
    EXPECT_TRUE(verdict.scored);
    EXPECT_FALSE(verdict.parsed);
    EXPECT_NE(benchmark->summarize({verdict}).text.find("1 unparsed"), std::string::npos);
  }
}

TEST_F(Judged, MmVetByVlmEvalKitWantsANumberAlone) {
  mm_vet();
  const ScriptedServer server({says("0.7 since"), says("nan"), says(" 0.4\n")});
  EXPECT_EQ(open("mm-vet", "vlmevalkit", server)->judge(0, "x").score, 0.4);
}

TEST_F(Judged, WithoutAReplyAQuestionIsNotJudged) {
  mm_vet();
  const ScriptedServer server({http(500, "x")});
  const auto benchmark = open("mm-vet", "official", server);
  const auto verdict = benchmark->judge(0, "x");
  EXPECT_EQ(server.num_received(), 2);  // the tries of one request
  EXPECT_FALSE(verdict.scored);
  EXPECT_TRUE(verdict.line.at("score").is_null());
  EXPECT_NE(benchmark->summarize({verdict}).text.find("not scored: the judge gave no score, 1 answer"),
            std::string::npos);
  Verdict good = verdict;
  good.scored = true;
  EXPECT_NE(benchmark->summarize({verdict, good}).text.find("1 not judged"), std::string::npos);
}

TEST_F(Judged, WithoutAnyReplyNothingIsWrittenAndTheSameGoesOn) {
  mm_vet();
  std::atomic<bool> answers = false;
  const ScriptedServer server([&](const Received&, size_t) { return answers ? says("1") : std::string(); });
  const auto judge = [&] {
    return judge_all(*open("mm-vet", "official", server), {{0, "x"}}, folder_ / "lines.jsonl", {.num_waiting = 1});
  };
  EXPECT_ERROR(judge(), concat("asking the judge at ", server.url(), ": no question got an answer"));
  EXPECT_FALSE(std::filesystem::exists(folder_ / "lines.jsonl"));
  answers = true;
  EXPECT_EQ(judge()[0].score, 1);
}

TEST_F(Judged, MmVetV2MarksPicturesAndLineEnds) {
  prompt("mm-vet-v2", "| Table |");
  data("mm-vet-v2.json",
       R"({"v2_0": {"question": "Is<IMG>v2_0_0.jpg<IMG>like\nthis?", "answer": "a\nb", "capability": ["seq"]}})");
  const ScriptedServer server({http(400, "filtered")});
  const auto verdict = open("mm-vet-v2", "official", server)->judge(0, "c\nd");
  EXPECT_EQ(prompt_of(server, 0), "| Table |\nIs<image>like<br>this? | a<br>b | c<br>d | ");
  EXPECT_TRUE(verdict.scored);  // what is refused counts as 0
  EXPECT_EQ(verdict.score, 0);
}

TEST_F(Judged, LlavaWilderComparesWithTheReference) {
  prompt("llava-wilder", "{question}/{answer}/{prediction}");
  prompt("llava-wilder-system", "Be fair.");
  const std::string png = "\x89PNG\r\n\x1a\n123456789";
  std::string text;
  for (int i = 0; i < 4; ++i) {
    text +=
        Json{{"question_id", std::to_string(i)}, {"Question", concat("Q", i)}, {"Answer", "R"}, {"image", base64(png)}}
            .dump() +
        "\n";
  }
  data("w.jsonl", text);
  const ScriptedServer server([](const Received& request, size_t) {
    if (request.body.find("Q0") != std::string::npos) return says("10,8\nfine");
    if (request.body.find("Q1") != std::string::npos) return says("10 6");
    return request.body.find("Q2") != std::string::npos ? says("10, 8") : http(500, "x");
  });
  const auto benchmark = open("llava-wilder", "lmms", server);
  const auto verdicts =
      judge_all(*benchmark, {{0, "p"}, {1, "p"}, {2, "p"}, {3, "p"}}, folder_ / "lines.jsonl", {.num_waiting = 3});
  const auto summary = benchmark->summarize(verdicts);
  EXPECT_DOUBLE_EQ(summary.json.at("score"), 70);  // of the two that can be read
  EXPECT_EQ(summary.json.at("not_scored"), 2);
  EXPECT_EQ(summary.json.at("unparsed"), 1);
  const auto messages = server.body(0).at("messages");
  EXPECT_EQ(messages[0].at("content"), "Be fair.");
  EXPECT_EQ(messages[1].at("content")[0].at("image_url").at("url"), "data:image/png;base64," + base64(png));
  const ScriptedServer odd({says("nan 5"), says("inf 5"), says("10 inf")});
  const auto oddly = open("llava-wilder", "lmms", odd);
  for (int i = 0; i < 3; ++i) EXPECT_FALSE(oddly->judge(i + 1, concat("odd ", i)).scored) << i;
  open("llava-wilder", "vlsi", server)->judge(0, "q");
  const auto last = server.body(server.num_received() - 1);
  EXPECT_EQ(last.at("temperature"), 0.2);
  EXPECT_EQ(last.at("messages")[1].at("content"), "Q0/R/q");  // text alone
}

TEST_F(Judged, MathVistaReadsTheAnswerOutOfAReply) {
  prompt("mathvista", "Examples");
  data(
      "m.jsonl",
      R"({"pid": "1", "question": "Q", "query": "Hint: Q", "choices": null, "answer": "14", "precision": null, "question_type": "free_form", "answer_type": "integer", "image": "a.png"}
)");
  const ScriptedServer server({says("14.0")});
  const auto benchmark = open("mathvista", "official", server);
  EXPECT_EQ(benchmark->judge(0, "14").score, 1);
  EXPECT_EQ(server.num_received(), 0);  // needs none
  EXPECT_EQ(benchmark->judge(0, "It is 14.").score, 1);
  EXPECT_EQ(prompt_of(server, 0), "Examples\n\nHint: Q\n\nIt is 14.\n\nExtracted answer: ");
  EXPECT_EQ(open("mathvista", "vlmevalkit", server)->judge(0, "It is 14.").score,
            0);  // "14.0" is no whole number there
}

TEST_F(Judged, HallusionBenchByItsAuthorsTakesUnclearForRightWithoutAFigure) {
  prompt("hallusion-bench", "{answer}|{prediction}");
  std::string rows;
  const auto row = [&](const char* kind, int figure, int question) {
    rows += Json{{"category", kind},
                 {"subcategory", "chart"},
                 {"set_id", "1"},
                 {"figure_id", std::to_string(figure)},
                 {"question_id", std::to_string(question)},
                 {"question", "Q"},
                 {"gt_answer", "1"},
                 {"gt_answer_details", "d"},
                 {"filename", nullptr}}
                .dump() +
            "\n";
  };
  row("VS", 0, 0), row("VS", 0, 1), row("VS", 1, 0), row("VS", 1, 1), row("VD", 0, 0), row("VD", 1, 0), row("VD", 1, 1);
  data("HallusionBench.jsonl", rows);
  // The judge says what the answer is.
  const ScriptedServer server([](const Received& request, size_t) {
    const std::string prompt = Json::parse(request.body).at("messages")[0].at("content");
    return says(prompt.substr(prompt.find('|') + 1));
  });
  const auto benchmark = open("hallusion-bench", "official", server);
  std::vector<Verdict> verdicts;
  for (const char* reply : {"unclear", "Incorrect.", "correct", "Correct", "correct", "incorrect", "correct"}) {
    verdicts.push_back(benchmark->judge(std::ssize(verdicts), reply));
  }
  constexpr double kPerCentRounding = 1e-9;  // of per cent in float64
  const auto summary = benchmark->summarize(verdicts);
  EXPECT_NEAR(summary.json.at("score"), 500.0 / 7, kPerCentRounding);
  EXPECT_NEAR(figure(summary, "fAcc"), 200.0 / 3, kPerCentRounding);
  EXPECT_NEAR(figure(summary, "qAcc"), 50, kPerCentRounding);
}

TEST_F(Judged, YesAndNoAreReadByAJudgeWhereTheWordsAreNeither) {
  prompt("yes-no", "{prediction}");
  data("p.jsonl", R"({"question_id": "1", "question": "Is it?", "answer": "yes", "category": "random", "image": "a.png"}
)");
  const ScriptedServer server({says("hm"), says("Yes")});
  const auto benchmark = open("pope", "vlmevalkit", server);
  EXPECT_EQ(benchmark->judge(0, "No").score, 0);
  EXPECT_EQ(server.num_received(), 0);
  EXPECT_EQ(benchmark->judge(0, "I am sure").score, 1);
  EXPECT_EQ(server.body(1).at("temperature"), 0.5);
}

TEST_F(Judged, OptionsAreMatchedByAJudgeWhereTheMatcherCannot) {
  prompt("choice", "{question} {options} {prediction}");
  prompt("choice-cn", "问 {question}");
  data("t.tsv", table("index|question|A|B|answer\n0|Which?|cat|dog|A\n1|哪个?|cat|dog|B\n"));
  const ScriptedServer server({says("hm"), says("A"), says("B")});
  const auto benchmark = open("ai2d", "vlmevalkit", server);
  EXPECT_EQ(benchmark->judge(0, "A").score, 1);
  EXPECT_EQ(server.num_received(), 0);
  const auto verdict = benchmark->judge(0, "the feline");
  EXPECT_EQ(verdict.score, 1);
  EXPECT_TRUE(verdict.judged);
  EXPECT_EQ(prompt_of(server, 1), "Which? A. cat\nB. dog the feline");
  EXPECT_EQ(benchmark->judge(1, "犬").score, 1);
  EXPECT_EQ(prompt_of(server, 2), "问 哪个?");
  const auto prompts_known = [&] {
    return open("ai2d", "vlmevalkit", server)->summarize({verdict}).json["judge"]["prompt"];
  };
  const auto before = prompts_known();
  prompt("choice-cn", "另 {question}");
  EXPECT_NE(prompts_known(), before);

  const ScriptedServer vague({says("hm")});
  const auto unsure = open("ai2d", "vlmevalkit", vague)->judge(0, "neither");
  EXPECT_EQ(vague.num_received(), 3);
  EXPECT_FALSE(unsure.parsed);
}

TEST_F(Judged, WithoutAPromptAJudgeIsRefusedWhereItIsNeededAndLeftOutElsewhere) {
  mm_vet();
  const ScriptedServer server({says("A")});
  EXPECT_ERROR(open("mm-vet-v2", "official", server), "has no mm-vet-v2.txt");
  data("t.tsv", table("index|question|A|B|answer\n0|Which?|cat|dog|A\n"));
  const auto benchmark = open("ai2d", "vlmevalkit", server);
  const auto verdict = benchmark->judge(0, "the feline");
  EXPECT_FALSE(verdict.parsed);
  const auto summary = benchmark->summarize({verdict});
  EXPECT_NE(summary.text.find("1 unparsed without a judge"), std::string::npos) << summary.text;
  EXPECT_TRUE(summary.json.at("judge").is_null());
  EXPECT_EQ(server.num_received(), 0);
}

TEST_F(Judged, NoMoreRequestsAreOpenThanThereAreWorkers) {
  mm_vet();
  std::string text;
  Json all = Json::object();
  for (int i = 0; i < 24; ++i)
    all[concat("q", i)] = {{"question", concat("Q", i)}, {"answer", "a"}, {"imagename", "a"}};
  data("many.json", all.dump(1));
  const ScriptedServer server([](const Received&, size_t) {
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    return says("1");
  });
  const auto benchmark = open("mm-vet", "official", server);
  std::vector<QuestionAnswer> answers;
  for (int64_t i = 0; i < 24; ++i) answers.emplace_back(i, std::to_string(i));
  const auto verdicts = judge_all(*benchmark, answers, folder_ / "lines.jsonl", {.num_waiting = 3});
  EXPECT_LE(server.most_at_once(), 3);
  EXPECT_GE(server.most_at_once(), 2);
  for (int64_t i = 0; i < 24; ++i) EXPECT_EQ(verdicts[i].question, i);
  const auto lines = content_of(folder_ / "lines.jsonl");
  judge_all(*benchmark, answers, folder_ / "again.jsonl", {.num_waiting = 1});
  EXPECT_EQ(content_of(folder_ / "again.jsonl"), lines);
  EXPECT_EQ(server.num_received(), 24);
}

}  // namespace
}  // namespace vlsi
