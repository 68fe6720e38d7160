// A benchmark from outside the program's sources: questions without a file, groups that count as one, a score of its
// own.
#include <gtest/gtest.h>

#include <map>

#include "eval/evaluate.h"
#include "tests/seams/toy_run.h"

namespace vlsi {
namespace {

class ToyQuestions : public Records {
 public:
  const std::filesystem::path& path() const override { return path_; }
  int64_t size() const override { return 4; }
  std::string place(int64_t record) const override { return concat("question ", record); }
  Conversation read(int64_t record, bool) const override {
    const Turn user{Role::kUser, {{Content::Kind::kText, concat("What is ", record, "?"), {}}}};
    return {std::to_string(record), "", {user}};
  }

 private:
  std::filesystem::path path_ = "toy";
};

/// Two questions each make a pair, which counts where both have an answer.
class Pairs : public Benchmark {
 public:
  const Records& questions() const override { return questions_; }
  Verdict judge(int64_t question, const std::string& answer) const override {
    return {question, static_cast<double>(answer.size()), "", {{"id", question}, {"length", answer.size()}}};
  }
  Summary summarize(const std::vector<Verdict>& verdicts) const override {
    std::map<int64_t, int64_t> answered;
    for (const auto& verdict : verdicts) answered[verdict.question / 2] += verdict.score > 0;
    int64_t pairs = 0;
    for (const auto& [pair, count] : answered) pairs += count == 2;
    return {concat(pairs, " pairs\n"), {{"pairs", pairs}}};
  }

 private:
  ToyQuestions questions_;
};

std::unique_ptr<Benchmark> open_pairs(const BenchmarkSource&) { return std::make_unique<Pairs>(); }

TEST(ToyBenchmark, IsAskedJudgedAndSummedByItsName) {
  benchmarks().add({"pairs", "pairs of questions", open_pairs});
  const toy_run::TinyPair pair;
  const auto benchmark = ChosenBenchmark("pairs")->open({});
  const auto speaker = load_speaker({pair.folder() / "student"}, at::kFloat, at::kCPU);
  const auto predictions = pair.folder() / "predictions.jsonl";
  AskOptions options{{.decoding = speaker.greedy, .batch_tokens = 64}};
  options.asking.decoding.max_new_tokens = 4;
  auto answers = ask_questions(*benchmark, speaker, options, pair.folder() / "answers");
  const auto summary = judge_answers(*benchmark, std::move(answers), /*blank=*/false, predictions);
  std::ifstream file(predictions);
  std::vector<int64_t> answered(2);
  int64_t number = 0;
  for (std::string line; std::getline(file, line); ++number) {
    const auto json = Json::parse(line);
    EXPECT_EQ(json.at("id"), number);
    answered[number / 2] += json.at("length") > 0;
  }
  EXPECT_EQ(number, 4);
  const int64_t pairs = (answered[0] == 2) + (answered[1] == 2);
  EXPECT_EQ(summary.text, concat(pairs, " pairs\n"));
  EXPECT_EQ(summary.json, OrderedJson({{"pairs", pairs}}));
}

}  // namespace
}  // namespace vlsi
