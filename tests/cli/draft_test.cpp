// Answers that a model's verbalizers draft, by every command that answers.
#include "tests/cli/program.h"

namespace vlsi::cli_test {
namespace {

/// The distilled student, whose head was trained since its verbalizers were.
Arguments drafts(const Arguments& more = {}) {
  return with({"--draft-layer", "1", "--draft-tokens", "3", "--verbalizers", finished_run() / "run/student-verbalizers",
               "--head", model("student")},
              more);
}

TEST(Draft, LeavesTheAnswerAsItIs) {
  const Arguments command{"generate",
                          "--model",
                          finished_run() / "run/model",
                          "--prompt",
                          "what color is it?",
                          "--greedy",
                          "--max-new-tokens",
                          "20",
                          "--json"};
  const auto plain = vlsi_program(command), drafted = vlsi_program(with(command, drafts()));
  ASSERT_EQ(plain.status, 0) << plain.err;
  ASSERT_EQ(drafted.status, 0) << drafted.err;
  EXPECT_EQ(drafted.out, plain.out);
  EXPECT_EQ(plain.err.find("tokens a pass"), std::string::npos) << plain.err;
  EXPECT_NE(drafted.err.find("tokens a pass"), std::string::npos) << drafted.err;
}

TEST(Draft, LeavesTheAnswersOfADataFileAsTheyAre) {
  const Folder folder;
  const auto answers = [&](const Arguments& more) {
    const auto result = vlsi_program(with({"answer", "--model", finished_run() / "run/model", "--data",
                                           tiny("train.json"), "--out", folder / "answers.json"},
                                          more));
    EXPECT_EQ(result.status, 0) << result.err;
    return content_of(folder / "answers.json");
  };
  EXPECT_EQ(answers(drafts()), answers({}));
}

TEST(Draft, IsRefusedWhereNothingCanDraft) {
  const auto refuse = [](const Arguments& more, const std::vector<std::string>& parts) {
    expect_refusal(vlsi_program(with({"generate", "--model", finished_run() / "run/model", "--prompt", "what?"}, more)),
                   parts);
  };
  refuse({"--draft-layer", "1"}, {"--draft-layer is 1", "no verbalizers.json", "--verbalizers"});
  refuse({"--draft-layer", "0"}, {"--draft-layer", "from 1 up"});
  refuse({"--head", model("student")}, {"--head", "--draft-layer"});
  refuse(drafts({"--num-beams", "2"}), {"--draft-layer", "--num-beams"});
  auto absent = drafts();
  absent[1] = "2";
  refuse(absent, {"none for layer 2", "[1]"});
}

}  // namespace
}  // namespace vlsi::cli_test
