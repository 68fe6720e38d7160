// easy-VQA's judgement and sums, over a data file made by hand.
#include "eval/benchmarks/easy_vqa.h"

#include <gtest/gtest.h>

#include "tests/data/data_files.h"

namespace vlsi {
namespace {

TEST(EasyVqa, JudgesByTheConversationsLastTurnAndCountsByCategory) {
  const Folder folder;
  const auto data =
      folder.write("questions.json", concat('[', record("Is it red?", R"("id": "a", "category": "color", )"), ", ",
                                            record("Is it a disc?", R"("id": "b", )"), ']'));
  const auto benchmark = benchmarks().find("easy-vqa")->open({data, {}});
  ASSERT_EQ(benchmark->questions().size(), 2);
  const std::vector<Verdict> verdicts{benchmark->judge(0, " yes\n"), benchmark->judge(1, "Yes")};
  EXPECT_EQ(verdicts[0].line.dump(),
            R"({"id":"a","category":"color","answer":" yes\n","expected":"yes","right":true})");
  EXPECT_EQ(verdicts[1].line.dump(), R"({"id":"b","category":"","answer":"Yes","expected":"yes","right":false})");
  const auto summary = benchmark->summarize(verdicts);
  EXPECT_EQ(summary.text,
            "easy-vqa                  50.00 %  1 of 2\n"
            "  color                  100.00 %  1 of 1\n");
  EXPECT_EQ(summary.json.dump(),
            R"({"accuracy":0.5,"right":1,"total":2,"categories":{"color":{"accuracy":1.0,"right":1,"total":1}}})");
}

TEST(EasyVqa, RefusesAQuestionWithoutItsAnswer) {
  const Folder folder;
  const auto data = folder.write("questions.json", R"([{"conversations": [{"from": "human", "value": "Is it red?"},
      {"from": "gpt", "value": "yes"}, {"from": "human", "value": "Sure?"}]}])");
  const auto benchmark = open_easy_vqa({data, {}});
  EXPECT_ERROR(benchmark->judge(0, "yes"), "ends with a question, expected its answer to compare with");
}

}  // namespace
}  // namespace vlsi
