// Evaluations that are stopped, killed, continued, shared by ranks, or without room: they end with the same files.
#include <chrono>
#include <random>

#include "tests/cli/two_ranks.h"

namespace vlsi::cli_test {
namespace {

constexpr int kQuestions = 300;  // five groups, the last one smaller

/// Questions about four pictures.
const fs::path& questions() {
  static const Folder folder;
  static const fs::path path = [] {
    const std::vector<std::string> pictures{"rgb_8", "gray_8", "palette_8", "rgba_8"};
    std::string text;
    for (int i = 0; i < kQuestions; ++i) {
      text += Json{{"index", i},
                   {"image", (fs::path(VLSI_TEST_DATA) / "images" / (pictures[i % 4] + ".png")).string()},
                   {"question", concat("is there a shape of ", i, " corners?")},
                   {"options", {"red", concat("blue ", i)}},
                   {"answer", i % 2 == 0 ? "A" : "B"}}
                  .dump() +
              "\n";
    }
    return folder.write("questions.jsonl", text);
  }();
  return path;
}

Arguments evaluation(const fs::path& out, const Arguments& more = {}) {
  // Drawn tokens in bfloat16: any other rounding shows in the answers.
  return with(
      {"evaluate", "--model",   model("student"), "--benchmark", "mmbench",          "--profile", "lmms",
       "--data",   questions(), "--out",          out,           "--max-new-tokens", "6",         "--temperature",
       "1",        "--dtype",   "bfloat16",       "--blank",     "--threads",        "1"},
      more);
}

/// Every file, among them those that a user takes away.
std::map<std::string, std::string> results_in(const fs::path& out) {
  auto files = files_in(out);
  EXPECT_TRUE(files.contains("results.json") && files.contains("predictions.jsonl") &&
              files.contains("predictions-blank.jsonl") && files.contains("submission.tsv"));
  return files;
}

const fs::path& undisturbed() {
  static const Folder folder;
  static const fs::path out = [] {
    const auto result = vlsi_program(evaluation(folder / "out"));
    EXPECT_EQ(result.status, 0) << result.err;
    EXPECT_EQ(num_lines(folder / "out/predictions.jsonl"), kQuestions);
    return folder / "out";
  }();
  return out;
}

size_t num_groups(const fs::path& out) {
  size_t count = 0;
  for (const char* name : {"answers", "answers-blank"}) {
    if (!fs::exists(out / name)) continue;
    for (const auto& entry : fs::directory_iterator(out / name)) {
      count += std::isdigit(entry.path().filename().string()[0]) && !is_temporary(entry.path());
    }
  }
  return count;
}

std::map<fs::path, fs::file_time_type> times_in(const fs::path& folder) {
  std::map<fs::path, fs::file_time_type> times;
  for (const auto& entry : fs::recursive_directory_iterator(folder)) {
    if (entry.path().extension() == ".json") times[entry.path()] = entry.last_write_time();
  }
  return times;
}

TEST(KilledEvaluation, GoesOnAfterAnyNumberOfAnswersAndAsksNoneAgain) {
  const auto wanted = results_in(undisturbed());
  for (const size_t groups : {1, 3, 5, 7, 10}) {
    SCOPED_TRACE(groups);
    const Folder folder;
    const auto out = folder / "out";
    Program program(evaluation(out));
    program.wait_until([&] { return num_groups(out) >= groups; });
    program.signal(SIGKILL);
    program.wait();
    const auto before = times_in(out / "answers");
    const auto result = vlsi_program(evaluation(out));
    ASSERT_EQ(result.status, 0) << result.err;
    EXPECT_NE(result.err.find(" of 300 questions are answered in "), std::string::npos) << result.err;
    for (const auto& [path, time] : before) EXPECT_TRUE(fs::last_write_time(path) == time) << path;
    EXPECT_TRUE(results_in(out) == wanted);
  }
}

TEST(KilledEvaluation, AtTwentyRandomMomentsEndsWithTheSameFiles) {
  const Folder first;
  const auto started = std::chrono::steady_clock::now();
  ASSERT_EQ(vlsi_program(evaluation(first / "out")).status, 0);
  const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - started;
  EXPECT_TRUE(results_in(first / "out") == results_in(undisturbed()));

  std::mt19937 random(7);
  auto folder = std::make_unique<Folder>();
  constexpr int kKills = 20, kMostStarts = 100;
  for (int kills = 0, starts = 0; kills < kKills && starts < kMostStarts; ++starts) {
    SCOPED_TRACE(concat("start ", starts));
    Program program(evaluation(*folder / "out"));
    std::this_thread::sleep_for(random() / 4294967296.0 * seconds);
    program.signal(SIGKILL);
    const auto result = program.wait();
    if (result.status == 128 + SIGKILL) {
      ++kills;
      continue;
    }
    ASSERT_EQ(result.status, 0) << result.err;
    EXPECT_TRUE(results_in(*folder / "out") == results_in(undisturbed()));
    folder = std::make_unique<Folder>();
  }
  const auto result = vlsi_program(evaluation(*folder / "out"));
  ASSERT_EQ(result.status, 0) << result.err;
  EXPECT_TRUE(results_in(*folder / "out") == results_in(undisturbed()));
  EXPECT_EQ(leftovers_in(*folder / "out"), std::vector<std::string>{});
}

TEST(InterruptedEvaluation, SaysHowToGoOn) {
  const Folder folder;
  Program program(evaluation(folder / "out"));
  program.wait_until([&] { return num_groups(folder / "out") >= 2; });
  program.signal(SIGINT);
  const auto result = program.wait();
  EXPECT_EQ(result.status, 1);
  EXPECT_NE(result.err.find("stopped by an interrupt; the answers so far are in "), std::string::npos) << result.err;
  EXPECT_FALSE(fs::exists(folder / "out/results.json"));
  ASSERT_EQ(vlsi_program(evaluation(folder / "out")).status, 0);
  EXPECT_TRUE(results_in(folder / "out") == results_in(undisturbed()));
}

TEST(EvaluationAgain, AsksNothingWhereNothingDiffersAndElseSaysWhatDoes) {
  const Folder folder;
  fs::copy(undisturbed(), folder / "out", fs::copy_options::recursive);
  const auto again = [&](const Arguments& more) { return vlsi_program(evaluation(folder / "out", more)); };
  ASSERT_EQ(again({}).status, 0);
  EXPECT_TRUE(results_in(folder / "out") == results_in(undisturbed()));

  const auto before = files_in(folder.path());
  const std::string place = (folder / "out/answers/asked.json").string() + ": the answers that are there were asked ";
  expect_refusal(again({"--limit", "7"}), {place, "limit: '300', now '7'", "questions: ", "remove "});
  expect_refusal(again({"--cache-memory", "1"}), {place, "cache_tokens: nothing, now '32'"});
  EXPECT_EQ(again({"--cache-memory", "3GiB"}).status, 0) << "either holds the model's context";
  expect_refusal(again({"--length-penalty", "2"}), {place, "decoding.length_penalty: '1.0', now '2.0'"});
  auto other = evaluation(folder / "out");
  *std::find(other.begin(), other.end(), "bfloat16") = "float32";
  expect_refusal(vlsi_program(other), {place, "dtype: 'bfloat16', now 'float32'"});
  other = evaluation(folder / "out");
  other[2] = model("teacher");
  expect_refusal(vlsi_program(other), {place, "model: '"});
  other = evaluation(folder / "out");
  other[6] = "vlmevalkit";
  expect_refusal(vlsi_program(other), {place, "profile: 'lmms', now 'vlmevalkit'", "questions: '"});
  auto text = content_of(questions());
  replace(text, "of 5 corners", "of five corners");
  other = evaluation(folder / "out");
  other[8] = folder.write("questions.jsonl", text);
  expect_refusal(vlsi_program(other), {place, "data.bytes: ", "data.checksum: ", "questions: "});
  fs::remove(folder / "questions.jsonl");
  EXPECT_EQ(files_in(folder.path()), before);

  // A profile that asks the same may score the same answers.
  const auto easy = [&](const std::string& profile) {
    return vlsi_program({"evaluate", "--model", model("student"), "--benchmark", "easy-vqa", "--data",
                         tiny("train.json"), "--out", folder / "easy", "--profile", profile});
  };
  ASSERT_EQ(easy("lmms").status, 0);
  EXPECT_NE(easy("official").err.find("12 of 12 questions are answered"), std::string::npos);
}

TEST(EvaluationAgain, RefusesADamagedAnswer) {
  const Folder folder;
  fs::copy(undisturbed(), folder / "out", fs::copy_options::recursive);
  write_text(folder / "out/answers/000002.json", "{\"answers\": [");
  const auto before = files_in(folder.path());
  expect_refusal(vlsi_program(evaluation(folder / "out")), {"000002.json"});
  EXPECT_EQ(files_in(folder.path()), before);
}

TEST(TwoRanks, EvaluateToTheFilesOfOne) {
  const Folder folder;
  expect_success(start_two_ranks(evaluation(folder / "out")));
  EXPECT_TRUE(results_in(folder / "out") == results_in(undisturbed()));
}

TEST(TwoRanks, GoOnWithAnEvaluationThatOneBegan) {
  const Folder folder;
  Program program(evaluation(folder / "out"));
  program.wait_until([&] { return num_groups(folder / "out") >= 1; });
  program.signal(SIGKILL);
  program.wait();
  expect_success(start_two_ranks(evaluation(folder / "out")));
  EXPECT_TRUE(results_in(folder / "out") == results_in(undisturbed()));
}

TEST(FullDisk, OfAnEvaluationLeavesEarlierResultsAndGoesOnWithRoom) {
  const Folder folder;
  const auto out = folder / "out";
  write_text(out / "predictions.jsonl", "earlier");
  write_text(out / "results.json", "earlier");
  for (const int64_t limit : {100, 2000, 20'000}) {  // of what was asked, of a group's answers, of all lines
    SCOPED_TRACE(limit);
    expect_refusal(vlsi_program(evaluation(out), {.file_size_limit = limit}), {out.string(), "File too large"});
    EXPECT_EQ(content_of(out / "predictions.jsonl"), "earlier");
    EXPECT_EQ(content_of(out / "results.json"), "earlier");
    EXPECT_EQ(leftovers_in(out), std::vector<std::string>{});
  }
  ASSERT_EQ(vlsi_program(evaluation(out)).status, 0);
  EXPECT_TRUE(results_in(out) == results_in(undisturbed()));
}

int64_t longest_answer(const fs::path& out) {
  return read_json(out / "answers/asked.json").at("decoding").at("max_new_tokens").get<int64_t>();
}

TEST(Evaluation, FindsVlmEvalKitsTablesAndHasTheLengthsOfTheBenchmarks) {
  const Folder folder;
  const auto data = folder / "LMUData", out = folder / "out", given = folder / "given";
  write_text(data / "POPE.tsv", "index\tquestion\tanswer\tcategory\n0\tIs there?\tYes\trandom\n");
  write_text(data / "ScienceQA_TEST.tsv", "index\tquestion\tA\tB\tanswer\n0\tWhich?\tred\tblue\tA\n");
  write_text(data / "docvqa.tsv", "index\tquestion\tanswer\n0\tWhat?\tred\n");
  const auto to = [&](const fs::path& results, const std::string& names, const Arguments& more) {
    return vlsi_program(
        with({"evaluate", "--model", model("student"), "--benchmark", names, "--data", data, "--out", results}, more));
  };
  const auto of = [&](const std::string& names) { return to(out, names, {}); };
  const auto result = of("pope,scienceqa,docvqa");
  ASSERT_EQ(result.status, 0) << result.err;
  EXPECT_EQ(read_json(out / "pope/results.json").at("data"), (data / "POPE.tsv").string());
  EXPECT_EQ(longest_answer(out / "pope"), 128);
  EXPECT_EQ(longest_answer(out / "scienceqa"), 16);
  EXPECT_EQ(longest_answer(out / "docvqa"), 32);
  ASSERT_EQ(of("pope,scienceqa,docvqa").status, 0);
  expect_refusal(to(out, "pope,docvqa", {"--max-new-tokens", "16"}), {"decoding.max_new_tokens: '128', now '16'"});
  EXPECT_EQ(to(given, "scienceqa,docvqa", {"--max-new-tokens", "16"}).status, 0);
  EXPECT_EQ(longest_answer(given / "docvqa"), 16);

  expect_refusal(of("pope,cv-bench"), {"--data " + data.string() + ": has no cv-bench, cv-bench.tsv, .parquet, .jsonl",
                                       ".json, and no CV-Bench-2D.tsv or CV-Bench-3D.tsv"});
  expect_refusal(of("pope,llava-wilder"), {"has no llava-wilder, llava-wilder.tsv, .parquet, .jsonl or .json"});
  write_text(data / "ScienceQA_VAL.tsv", "");
  expect_refusal(of("pope,scienceqa"), {"has 2 of ScienceQA_VAL.tsv or ScienceQA_TEST.tsv, all of them for scienceqa; "
                                        "put the one that is meant into a folder scienceqa there"});
}

TEST(Evaluation, WithoutAnyReplyOfTheJudgeIsAnErrorAndKeepsTheAnswers) {
  const Folder folder;
  const auto data = folder.write(
      "data/mm-vet.json", R"({"v1": {"imagename": null, "question": "Which?", "answer": "x", "capability": []}})");
  write_text(folder / "prompt.txt", "{question}");
  const auto url = concat("http://127.0.0.1:", free_port(), "/v1");
  const Arguments evaluate{
      "evaluate", "--model",         model("student"),      "--benchmark",   "mm-vet", "--data",
      data,       "--out",           folder / "out",        "--judge-url",   url,      "--judge-model",
      "m",        "--judge-prompts", folder / "prompt.txt", "--judge-tries", "1",      "--limit",
      "1"};
  for (int i = 0; i < 2; ++i) {
    const auto result = vlsi_program(evaluate);
    expect_refusal(result, {"asking the judge at " + url +
                            ": no question got an answer, the last: cannot "
                            "connect to " +
                            url});
    EXPECT_EQ(result.err.find("1 of 1 questions are answered") != std::string::npos, i == 1) << result.err;
    EXPECT_TRUE(fs::exists(folder / "out/answers/000000.json"));
    EXPECT_FALSE(fs::exists(folder / "out/results.json"));
  }
}

TEST(Evaluation, RefusesAnOutputThatIsNoFolder) {
  const Folder folder;
  write_text(folder / "out/answers", "mine");
  expect_refusal(vlsi_program(evaluation(folder / "out")), {(folder / "out/answers").string()});
  EXPECT_EQ(content_of(folder / "out/answers"), "mine");
}

}  // namespace
}  // namespace vlsi::cli_test
