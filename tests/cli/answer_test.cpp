// Answers of a model as a data file, beside labels that are there.
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

TEST(Answer, IsWrittenIntoJsonAloneSoThatLabelsAreJson) {
  const Folder folder;
  folder.write("labelled.tsv", "index\tquestion\tanswer\nq01\tQ\tyes\n");
  expect_refusal(vlsi_program({"answer", "--model", model("student"), "--data", tiny("train.json"), "--labelled",
                               folder / "labelled.tsv", "--out", folder / "out.json"}),
                 {"--labelled", "labelled.tsv: is a table or a tar, expected JSON or JSONL"});
  EXPECT_FALSE(fs::exists(folder / "out.json"));
}

}  // namespace
}  // namespace vlsi::cli_test
