// Answers of a model as a data file, beside labels that are there.
#include <cctype>

#include "tests/cli/program.h"

namespace vlsi::cli_test {
namespace {

TEST(Answer, KeepsRecordsThatAreLabelled) {
  const Folder folder;
  const auto asked = Json::parse(content_of(tiny("train.json")));
  auto label = asked[1];
  label["conversations"] = Json{{{"from", "human"}, {"value", "what?"}}, {{"from", "gpt"}, {"value", "a label"}}};
  folder.write("labelled.json", Json::array({label}).dump());
  const auto answer = [&] {
    return vlsi_program({"answer", "--model", model("student"), "--data", tiny("train.json"), "--max-new-tokens", "2",
                         "--labelled", folder / "labelled.json", "--out", folder / "out.json"});
  };
  const auto result = answer();
  ASSERT_EQ(result.status, 0) << result.err;
  const auto answered = Json::parse(content_of(folder / "out.json"));
  int64_t num_labels = 0;
  for (const auto& record : answered) {
    if (record == label) {
      ++num_labels;
    } else {
      EXPECT_NE(record["id"], label["id"]);
    }
  }
  EXPECT_EQ(num_labels, 1);
  folder.write("labelled.json", Json::array({label, label}).dump());
  expect_refusal(answer(), {"labelled.json", "is there twice"});
}

TEST(Answer, IsWrittenInTheFormOfTheRecordAndReadBack) {
  const Folder folder;
  const auto asked =
      Json::array({Json::parse(R"({"id": "texts", "texts": [{"user": "what color is it?", "assistant": "before"}]})"),
                   Json::parse(R"({"id": "instruction", "instruction": "what color is it?", "output": "before"})"),
                   Json::parse(R"({"id": "null", "messages": null,
                       "conversations": [{"from": "human", "value": "what color is it?"}]})"),
                   Json::parse(R"({"id": "messages", "messages": [{"role": "user", "content": "what color is it?"},
                       {"role": "assistant", "content": "before"}]})")});
  const auto answered =
      vlsi_program({"answer", "--model", model("student"), "--data", folder.write("asked.json", asked.dump()), "--out",
                    folder / "out.json", "--max-new-tokens", "2"});
  ASSERT_EQ(answered.status, 0) << answered.err;
  const auto records = Json::parse(content_of(folder / "out.json"));
  ASSERT_EQ(records.size(), asked.size()) << answered.err;
  const auto answer = records[0]["texts"][0]["assistant"];
  EXPECT_NE(answer, "before");
  EXPECT_EQ(records[1]["output"], answer) << "the same question, to the model";
  EXPECT_EQ(records[2]["conversations"][1]["value"], answer);
  EXPECT_EQ(records[3]["messages"][1]["content"], answer);
  for (size_t i = 0; i < asked.size(); ++i) EXPECT_EQ(records[i].size(), asked[i].size()) << records[i];
  const auto scored = vlsi_program(
      {"score", "--model", model("student"), "--data", folder / "out.json", "--out", folder / "scores.jsonl"});
  EXPECT_EQ(scored.status, 0) << scored.err;
  EXPECT_EQ(num_lines(folder / "scores.jsonl"), 4);
}

/// Answers of drawn tokens in bfloat16, where any other rounding shows, to 150 questions: three groups.
Arguments answering(const Folder& folder, const std::string& out = "out.jsonl") {
  constexpr int kQuestions = 150;
  std::string text;
  for (int i = 0; i < kQuestions; ++i) {
    text +=
        Json{{"id", i}, {"instruction", concat("is there a shape of ", i, " corners?")}, {"kept", i % 7}}.dump() + "\n";
  }
  return {"answer", "--model",    model("student"),   "--data",    folder.write("asked.jsonl", text),
          "--out",  folder / out, "--max-new-tokens", "6",         "--temperature",
          "1",      "--dtype",    "bfloat16",         "--threads", "1"};
}

size_t num_parts(const Folder& folder) {
  const auto parts = folder / "out.jsonl.parts";
  if (!fs::exists(parts)) return 0;
  size_t count = 0;
  for (const auto& entry : fs::directory_iterator(parts)) {
    count += std::isdigit(entry.path().filename().string()[0]) && !is_temporary(entry.path());
  }
  return count;
}

void stop_after(size_t parts, int signal, const Folder& folder) {
  Program program(answering(folder));
  program.wait_until([&] { return num_parts(folder) >= parts; });
  program.signal(signal);
  const auto result = program.wait();
  if (signal != SIGINT || result.status == 0) return;
  EXPECT_EQ(result.status, 1);
  EXPECT_NE(result.err.find("stopped by an interrupt; the answers so far are in "), std::string::npos) << result.err;
  EXPECT_NE(result.err.find("out.jsonl.parts: the same command goes on from there"), std::string::npos) << result.err;
}

TEST(Answer, IntoJsonLinesIsARecordALineAndReadBack) {
  const Folder folder;
  ASSERT_EQ(vlsi_program(answering(folder)).status, 0);
  ASSERT_EQ(vlsi_program(answering(folder, "out.json")).status, 0);
  std::istringstream lines(content_of(folder / "out.jsonl"));
  auto records = Json::array();
  for (std::string line; std::getline(lines, line);) records.push_back(Json::parse(line));
  EXPECT_GT(records.size(), 0);
  EXPECT_EQ(records, read_json(folder / "out.json"));
  const auto scored = vlsi_program(
      {"score", "--model", model("student"), "--data", folder / "out.jsonl", "--out", folder / "scores.jsonl"});
  EXPECT_EQ(scored.status, 0) << scored.err;
  EXPECT_EQ(num_lines(folder / "scores.jsonl"), static_cast<int64_t>(records.size()));
}

TEST(Answer, ThatIsStoppedGoesOnToTheSameFileAndLeavesNoPartsBehind) {
  const Folder undisturbed;
  ASSERT_EQ(vlsi_program(answering(undisturbed)).status, 0);
  const auto wanted = content_of(undisturbed / "out.jsonl");
  EXPECT_FALSE(fs::exists(undisturbed / "out.jsonl.parts"));
  for (const int signal : {SIGKILL, SIGINT}) {
    for (const size_t parts : {1, 2}) {
      SCOPED_TRACE(concat("signal ", signal, " after ", parts));
      const Folder folder;
      stop_after(parts, signal, folder);
      const auto result = vlsi_program(answering(folder));
      ASSERT_EQ(result.status, 0) << result.err;
      EXPECT_EQ(content_of(folder / "out.jsonl"), wanted);
      EXPECT_FALSE(fs::exists(folder / "out.jsonl.parts"));
    }
  }
}

TEST(Answer, ThatIsStoppedRefusesAnotherModelAndOtherOptions) {
  const Folder folder;
  stop_after(1, SIGKILL, folder);
  if (num_parts(folder) == 0) GTEST_SKIP() << "it was done before it could be stopped";
  const auto asked = content_of(folder / "out.jsonl.parts/asked.json");
  const size_t parts = num_parts(folder);
  const auto place = (folder / "out.jsonl.parts/asked.json").string() + ": the answers that are there were asked ";
  auto other = answering(folder);
  other[2] = model("teacher");
  expect_refusal(vlsi_program(other), {place, "model: '"});
  expect_refusal(vlsi_program(with(answering(folder), {"--length-penalty", "2"})), {place, "decoding.length_penalty"});
  const auto changed = answering(folder);
  write_text(folder / "asked.jsonl", R"({"id": 1, "instruction": "another?"})");
  expect_refusal(vlsi_program(changed), {place, "data.checksum: ", "questions: "});
  EXPECT_EQ(content_of(folder / "out.jsonl.parts/asked.json"), asked);
  EXPECT_EQ(num_parts(folder), parts);
}

TEST(Answer, GoesOnWithoutTheRecordThatStoppedIt) {
  const Folder folder;
  auto records = Json::array();
  for (int i = 0; i < 70; ++i)
    records.push_back({{"id", std::to_string(i)}, {"texts", {{{"user", "what is it?"}, {"assistant", "x"}}}}});
  records[69]["texts"][0]["user"] = std::string(20'000, 'x');  // longer than the model's context
  const Arguments arguments{"answer",
                            "--model",
                            model("student").string(),
                            "--data",
                            folder.write("asked.json", records.dump()).string(),
                            "--max-new-tokens",
                            "2",
                            "--out",
                            folder / "out.json"};
  EXPECT_EQ(vlsi_program(arguments).status, 2);
  EXPECT_TRUE(fs::exists(folder / "out.json.parts/000000.json"));
  folder.write("out.json.parts/notes.txt", "of somebody");
  const auto result = vlsi_program(with(arguments, {"--skip-bad-records"}));
  EXPECT_EQ(result.status, 0) << result.err;
  EXPECT_NE(result.err.find("64 of 70 questions are answered"), std::string::npos) << result.err;
  EXPECT_NE(result.err.find("wrote 69 answers"), std::string::npos) << result.err;
  EXPECT_EQ(content_of(folder / "out.json.parts/notes.txt"), "of somebody");
  EXPECT_FALSE(fs::exists(folder / "out.json.parts/000000.json"));
}

TEST(Answer, IntoWhatIsNoFileKeepsNoParts) {
  const Folder folder;
  auto arguments = answering(folder);
  *std::find(arguments.begin(), arguments.end(), (folder / "out.jsonl").string()) = "/dev/null";
  const auto result = vlsi_program(arguments);
  EXPECT_EQ(result.status, 0) << result.err;
  EXPECT_EQ(files_in(folder.path()).size(), 1U) << "the questions alone";
}

TEST(Answer, IsWrittenIntoJsonAloneSoThatLabelsAreJson) {
  const Folder folder;
  folder.write("labelled.tsv", "index\tquestion\tanswer\nq01\tQ\tyes\n");
  expect_refusal(vlsi_program({"answer", "--model", model("student"), "--data", tiny("train.json"), "--labelled",
                               folder / "labelled.tsv", "--out", folder / "out.json"}),
                 {"--labelled", "labelled.tsv: is a table, expected JSON or JSONL"});
  EXPECT_FALSE(fs::exists(folder / "out.json"));
}

}  // namespace
}  // namespace vlsi::cli_test
