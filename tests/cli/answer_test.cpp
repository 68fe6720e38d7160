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

}  // namespace
}  // namespace vlsi::cli_test
