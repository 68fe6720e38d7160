// Greedy generation against transformers' tokens, and against itself without a cache.
#include "generate/greedy.h"

#include <algorithm>

#include "base/atomic_file.h"
#include "tests/model/fixtures.h"

namespace vlsi {
namespace {

using fixtures::Case;

class GreedyBesideTransformers : public testing::TestWithParam<std::string> {
 protected:
  void SetUp() override {
    model_ = load_vlm(fixtures::directory(GetParam()), at::kFloat);
    for (const auto& stored : fixtures::cases(GetParam())) {
      prompts_.push_back(fixtures::prompt_of(stored));
      expected_.push_back(stored.integers("greedy"));
    }
  }
  std::vector<int32_t> answer(const Sample& prompt, const GreedyConfig& config) const {
    return generate_greedy(*model_, pack({prompt}), config).front().tokens;
  }

  std::shared_ptr<Vlm> model_;
  std::vector<Sample> prompts_;
  std::vector<std::vector<int32_t>> expected_;
};

TEST_P(GreedyBesideTransformers, GivesItsTokens) {
  for (size_t i = 0; i < prompts_.size(); ++i) {
    SCOPED_TRACE(prompts_[i].id);
    const auto found = generate_greedy(*model_, pack({prompts_[i]}), {static_cast<int64_t>(expected_[i].size()), {}});
    ASSERT_EQ(found.size(), 1U);
    EXPECT_EQ(found[0].tokens, expected_[i]);
    EXPECT_FALSE(found[0].stopped);
  }
}

TEST_P(GreedyBesideTransformers, AnswersABatchAsEachPromptAlone) {
  const auto batch = pack(prompts_);
  const auto found = generate_greedy(*model_, batch, {12, {}});
  ASSERT_EQ(found.size(), prompts_.size());
  for (size_t i = 0; i < found.size(); ++i) EXPECT_EQ(found[i].tokens, expected_[batch.order[i]]) << batch.ids[i];
}

TEST_P(GreedyBesideTransformers, GivesTheTokensOfPassesWithoutACache) {
  at::NoGradGuard no_grad;
  for (size_t i = 0; i < prompts_.size(); ++i) {
    SCOPED_TRACE(prompts_[i].id);
    Sample grown = prompts_[i];
    std::vector<int32_t> recomputed;
    for (int step = 0; step < 12; ++step) {
      const auto logits = at::linear(model_->forward(pack({grown}), {}).final_rows, model_->head());
      const auto token = static_cast<int32_t>(logits.argmax(-1).item<int64_t>());
      recomputed.push_back(token);
      grown.answer_positions = {static_cast<int32_t>(grown.tokens.size())};
      grown.tokens.push_back(token);
      for (auto& axis : grown.positions) axis.push_back(grown.next_position);
      ++grown.next_position;
    }
    EXPECT_EQ(answer(prompts_[i], {12, {}}), recomputed);
  }
}

TEST_P(GreedyBesideTransformers, EndsEachAnswerOfABatchAtItsOwnStopToken) {
  // Every prompt gets a stop token from its own answer, at another place, so that they leave the batch one by one.
  std::vector<int64_t> stops;
  for (size_t i = 0; i < expected_.size(); ++i) stops.push_back(expected_[i][2 + 3 * i]);
  const auto batch = pack(prompts_);
  std::vector<std::vector<int32_t>> streamed(prompts_.size());
  const auto found = generate_greedy(*model_, batch, {12, stops},
                                     [&](int64_t sequence, int32_t token) { streamed[sequence].push_back(token); });
  for (size_t i = 0; i < found.size(); ++i) {
    SCOPED_TRACE(batch.ids[i]);
    const auto& all = expected_[batch.order[i]];
    const auto stop = std::find_first_of(all.begin(), all.end(), stops.begin(), stops.end());
    EXPECT_EQ(found[i].tokens, std::vector<int32_t>(all.begin(), stop));
    EXPECT_TRUE(found[i].stopped);
    EXPECT_EQ(streamed[i], found[i].tokens);
  }
}

TEST_P(GreedyBesideTransformers, EndsAtTheLargestLength) {
  for (const int64_t length : {1, 5}) {
    EXPECT_EQ(answer(prompts_[0], {length, {}}),
              std::vector<int32_t>(expected_[0].begin(), expected_[0].begin() + length));
  }
  EXPECT_TRUE(answer(prompts_[0], {0, {}}).empty());
}

TEST_P(GreedyBesideTransformers, GivesNothingWhenTheFirstTokenStops) {
  const auto found = generate_greedy(*model_, pack({prompts_[0]}), {12, {expected_[0][0]}}).front();
  EXPECT_TRUE(found.tokens.empty());
  EXPECT_TRUE(found.stopped);
}

INSTANTIATE_TEST_SUITE_P(Families, GreedyBesideTransformers, testing::ValuesIn(fixtures::variants()),
                         fixtures::test_name);

TEST(StopTokens, ComeFromTheGenerationConfigThenFromTheModels) {
  const Folder folder;
  ModelConfig config;
  config.eos_token_ids = {7, 2};
  const std::vector<std::pair<const char*, std::vector<int64_t>>> files{{R"({"eos_token_id": [3, 5]})", {3, 5}},
                                                                        {R"({"eos_token_id": 4})", {4}},
                                                                        {R"({"eos_token_id": null})", {7, 2}},
                                                                        {"{}", {7, 2}}};
  EXPECT_EQ(stop_tokens(folder.path(), config), (std::vector<int64_t>{7, 2}));
  for (const auto& [text, expected] : files) {
    write_file(folder.path() / "generation_config.json", text);
    EXPECT_EQ(stop_tokens(folder.path(), config), expected) << text;
  }
  write_file(folder.path() / "generation_config.json", R"({"eos_token_id": "end"})");
  EXPECT_NE(message_of([&] { stop_tokens(folder.path(), config); }).find("eos_token_id"), std::string::npos);
}

}  // namespace
}  // namespace vlsi
