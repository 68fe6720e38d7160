// Answers on the stand-in device are transformers' tokens, and the host waits once for a token of all sequences.
#include <gtest/gtest.h>

#include <algorithm>

#include "model/fused.h"
#include "tests/device/stand_in.h"
#include "tests/generate/engine_fixture.h"

namespace vlsi {
namespace generation_on_device {

using fixtures::of_length;

class GenerationOnADevice : public testing::TestWithParam<std::string> {
 protected:
  const std::shared_ptr<Vlm> model_ = load_vlm(fixtures::directory(GetParam()), at::kFloat, stand_in::device());
  const Tokenizer tokenizer_ = Tokenizer::load(VLSI_TEST_DATA "/tiny/tokenizer");

  /// The tokens of all prompts, asked together. Expects at most one wait a pass.
  std::vector<std::vector<int32_t>> answers(const Decoding& decoding, const Draft& draft = {}) const {
    Engine engine(*model_, tokenizer_, nullptr, {.cache_bytes = 1 << 20, .draft = draft});
    std::vector<std::vector<int32_t>> tokens;
    for (const auto& stored : fixtures::cases(GetParam())) {
      const size_t place = tokens.size();
      tokens.emplace_back();
      engine.submit({fixtures::prompt_of(stored), decoding, nullptr,
                     [&tokens, place](Reply reply) { tokens[place] = std::move(reply.tokens); }, nullptr});
    }
    for (bool goes_on = true; goes_on;) {
      const auto before = stand_in::counts().waits;
      const int64_t num_passes = engine.num_waiting() > 0 ? 2 : 1;  // over new prompts; a token of every answer
      goes_on = engine.step();
      EXPECT_LE(stand_in::counts().waits - before, num_passes);
    }
    return tokens;
  }
};

TEST_P(GenerationOnADevice, GivesTheGreedyTokens) {
  const auto found = answers(of_length(12));
  size_t i = 0;
  for (const auto& stored : fixtures::cases(GetParam())) EXPECT_EQ(found[i++], stored.integers("greedy"));
}

TEST_P(GenerationOnADevice, DraftsWithOneWaitAPass) {
  const auto expected_by_itself = [&](const at::Tensor& rows) {
    const auto normed = rms_norm(rows, model_->final_norm(), model_->config().text.rms_norm_eps);
    return at::linear(normed, model_->head_map().weight);
  };
  // All of them right, with the layers of the whole model; and hardly any, by the first layer.
  for (const int64_t layer : {model_->num_layers(), int64_t{1}}) {
    const auto found = answers(of_length(12), {layer, 3, expected_by_itself});
    size_t i = 0;
    for (const auto& stored : fixtures::cases(GetParam())) EXPECT_EQ(found[i++], stored.integers("greedy"));
  }
}

TEST_P(GenerationOnADevice, EndsAtAStopTokenInTheMiddleOfADraft) {
  const auto greedy = answers(of_length(12)).front();
  const Draft draft{model_->num_layers(), 4, [&](const at::Tensor& rows) {
                      const auto normed = rms_norm(rows, model_->final_norm(), model_->config().text.rms_norm_eps);
                      return at::linear(normed, model_->head_map().weight);
                    }};
  const auto stop = greedy[6];
  const auto end = std::find(greedy.begin(), greedy.end(), stop);
  EXPECT_EQ(answers(of_length(12, {stop}), draft).front(), std::vector<int32_t>(greedy.begin(), end));
}

TEST_P(GenerationOnADevice, DrawsAndSearchesWithOneWaitAToken) {
  const fixtures::SpokenModel spoken(GetParam());
  Decoding drawing = of_length(8), searching = of_length(8);
  drawing.sample = true;
  searching.num_beams = 3;
  for (const auto& decoding : {drawing, searching}) {
    auto engine = spoken.engine();
    const auto found = answers(decoding);
    for (size_t i = 0; i < found.size(); ++i) EXPECT_EQ(found[i], generate(engine, spoken.prompts[i], decoding).tokens);
  }
}

INSTANTIATE_TEST_SUITE_P(Families, GenerationOnADevice, testing::Values("qwen2_vl/tied", "qwen3_vl/untied"),
                         fixtures::test_name);

}  // namespace generation_on_device
}  // namespace vlsi
