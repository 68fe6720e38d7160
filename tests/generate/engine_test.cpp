// The engine's answers against transformers' tokens, alone and together, and against themselves without what it shares.
#include "generate/engine.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <limits>

#include "base/atomic_file.h"
#include "data/rotary_positions.h"
#include "tests/generate/engine_fixture.h"

namespace vlsi {
namespace engine_tests {

using fixtures::answer_together;
using fixtures::of_length;
using fixtures::SpokenModel;

class EngineBesideTransformers : public testing::TestWithParam<std::string> {
 protected:
  SpokenModel spoken_{GetParam()};
  const std::vector<Sample>& prompts_ = spoken_.prompts;
  const std::vector<std::vector<int32_t>>& greedy_ = spoken_.greedy;
};

TEST_P(EngineBesideTransformers, GivesItsGreedyTokens) {
  auto engine = spoken_.engine();
  for (size_t i = 0; i < prompts_.size(); ++i) {
    const auto reply = generate(engine, prompts_[i], of_length(12));
    EXPECT_EQ(reply.tokens, greedy_[i]) << prompts_[i].id;
    EXPECT_EQ(reply.finish, Finish::kLength);
    EXPECT_EQ(reply.num_prompt_tokens, std::ssize(prompts_[i].tokens));
    EXPECT_EQ(reply.num_image_tokens, std::ssize(prompts_[i].image_token_positions));
  }
}

TEST_P(EngineBesideTransformers, GivesItsTokensUnderEverySettingAloneAndTogether) {
  const Folder folder;
  const auto stored = read_json(fixtures::directory(GetParam()) / "generation.json");
  std::vector<std::pair<Sample, Decoding>> requests;
  std::vector<Json> expected;
  for (const auto& prompt : prompts_) {
    for (const auto& one : stored.at(prompt.id)) {
      write_file(folder.path() / "generation_config.json", one.at("settings").dump());
      auto config = spoken_.model->config();
      auto decoding = default_decoding(folder.path(), config);
      if (!one.at("settings").contains("eos_token_id")) decoding.stop_tokens.clear();
      requests.emplace_back(prompt, decoding);
      expected.push_back(one);
    }
  }
  const auto expect_reply = [&](size_t i, const Reply& reply) {
    EXPECT_EQ(reply.tokens, expected[i].at("tokens").get<std::vector<int32_t>>()) << expected[i].at("settings");
    EXPECT_EQ(reply.finish == Finish::kStop, expected[i].at("stopped").get<bool>()) << expected[i].at("settings");
  };
  for (size_t i = 0; i < requests.size(); ++i) {
    auto engine = spoken_.engine();
    expect_reply(i, generate(engine, requests[i].first, requests[i].second));
  }
  auto engine = spoken_.engine();
  const auto replies = answer_together(engine, requests);
  for (size_t i = 0; i < requests.size(); ++i) expect_reply(i, replies[i]);
}

TEST_P(EngineBesideTransformers, AnswersInAnyPlacesPiecesAndRoom) {
  std::vector<std::pair<Sample, Decoding>> requests;
  for (int i = 0; i < 7; ++i) requests.emplace_back(prompts_[i % prompts_.size()], of_length(12));
  int64_t longest = 0;
  for (const auto& prompt : prompts_) longest = std::max(longest, std::ssize(prompt.tokens));
  const int64_t needed = KvCache::blocks_for(longest + 12);
  // Few places, pieces of a few tokens, and room for one answer, so that others lose theirs again and again.
  const std::vector<EngineConfig> configs{{1, 1024},
                                          {3, 5},
                                          {8, 1},
                                          {8, 1024, fixtures::cache_bytes(*spoken_.model, needed)},
                                          {8, 7, fixtures::cache_bytes(*spoken_.model, needed + 1)}};
  for (const auto& config : configs) {
    auto engine = spoken_.engine(config);
    const auto replies = answer_together(engine, requests);
    for (size_t i = 0; i < replies.size(); ++i) {
      EXPECT_EQ(replies[i].tokens, greedy_[i % prompts_.size()]) << config.max_sequences << ' ' << config.prompt_tokens;
    }
  }
}

TEST_P(EngineBesideTransformers, EndsEachAnswerAtItsOwnStopToken) {
  std::vector<int64_t> stops;
  for (size_t i = 0; i < greedy_.size(); ++i) stops.push_back(greedy_[i][2 + 3 * i]);
  std::vector<std::pair<Sample, Decoding>> requests;
  for (const auto& prompt : prompts_) requests.emplace_back(prompt, of_length(12, stops));
  auto engine = spoken_.engine();
  const auto replies = answer_together(engine, requests);
  for (size_t i = 0; i < replies.size(); ++i) {
    const auto stop = std::find_first_of(greedy_[i].begin(), greedy_[i].end(), stops.begin(), stops.end());
    EXPECT_EQ(replies[i].tokens, std::vector<int32_t>(greedy_[i].begin(), stop));
    EXPECT_EQ(replies[i].finish, Finish::kStop);
  }
}

TEST_P(EngineBesideTransformers, KnowsTheBeginningOfAnEqualPrompt) {
  auto engine = spoken_.engine();
  for (size_t i = 0; i < prompts_.size(); ++i) {
    const auto length = std::ssize(prompts_[i].tokens);
    EXPECT_EQ(generate(engine, prompts_[i], of_length(12)).num_cached_tokens, 0);
    const auto again = generate(engine, prompts_[i], of_length(12));
    EXPECT_EQ(again.num_cached_tokens, (length - 1) / KvCache::kBlockTokens * KvCache::kBlockTokens);
    EXPECT_EQ(again.tokens, greedy_[i]);
  }
}

TEST_P(EngineBesideTransformers, DoesNotTakeAnotherPictureForAnEqualOne) {
  auto engine = spoken_.engine();
  for (const auto& prompt : prompts_) {
    if (prompt.images.empty()) continue;
    auto other = prompt;
    for (auto& image : other.images) image.rows = image.rows * 0.5 + 1;
    generate(engine, prompt, of_length(1));
    const auto found = generate(engine, other, of_length(12));
    EXPECT_LT(found.num_cached_tokens, prompt.image_token_positions.back());
    auto alone = spoken_.engine();
    EXPECT_EQ(found.tokens, generate(alone, other, of_length(12)).tokens);
  }
}

INSTANTIATE_TEST_SUITE_P(Families, EngineBesideTransformers, testing::ValuesIn(fixtures::variants()),
                         fixtures::test_name);

class EngineOfOneModel : public testing::Test {
 protected:
  Decoding sampled(uint64_t seed) const {
    auto decoding = of_length(12);
    decoding.sample = true;
    decoding.temperature = 3;
    decoding.seed = seed;
    return decoding;
  }

  /// So many times the same token, without pictures.
  Sample text_prompt(int64_t length, int32_t token) const {
    Sample sample;
    sample.tokens.assign(static_cast<size_t>(length), token);
    RotaryPositions positions(spoken_.model->config().text.num_axes());
    positions.add_text(length);
    sample.positions = positions.axes();
    sample.next_position = positions.next();
    sample.answer_positions = {static_cast<int32_t>(length) - 1};
    return sample;
  }

  SpokenModel spoken_{"qwen2_vl/untied"};
  const Sample& prompt_ = spoken_.prompts[0];
};

TEST_F(EngineOfOneModel, DrawsTheSameTokensWhateverIsBesideThem) {
  auto engine = spoken_.engine();
  const auto alone = generate(engine, prompt_, sampled(1)).tokens;
  EXPECT_NE(alone, generate(engine, prompt_, sampled(2)).tokens);
  std::vector<std::pair<Sample, Decoding>> requests;
  for (uint64_t seed = 0; seed < 5; ++seed) requests.emplace_back(spoken_.prompts[seed % 3], sampled(seed));
  requests.emplace_back(prompt_, sampled(1));
  EXPECT_EQ(answer_together(engine, requests).back().tokens, alone);
}

TEST_F(EngineOfOneModel, GivesLogprobsOfTheDistributionBeforePenalties) {
  auto engine = spoken_.engine();
  auto decoding = of_length(3);
  decoding.top_logprobs = 4;
  decoding.repetition_penalty = 1.5;
  const auto reply = generate(engine, prompt_, decoding);
  ASSERT_EQ(reply.logprobs.size(), 3U);
  at::NoGradGuard no_grad;
  Sample grown = prompt_;
  for (size_t i = 0; i < 3; ++i) {
    const auto rows = spoken_.model->forward(pack({grown}), {}).final_rows;
    const auto expected = at::linear(rows, spoken_.model->head()).to(at::kDouble).log_softmax(-1)[0];
    const auto& found = reply.logprobs[i];
    EXPECT_EQ(found.token, reply.tokens[i]);
    // float32 sums over 48 terms, by other kernels.
    EXPECT_NEAR(found.logprob, expected[found.token].item<double>(), 1e-5);
    ASSERT_EQ(found.likely.size(), 4U);
    const auto [values, tokens] = expected.topk(4);
    for (int64_t k = 0; k < 4; ++k) {
      EXPECT_EQ(found.likely[k].first, tokens[k].item<int64_t>());
      EXPECT_NEAR(found.likely[k].second, values[k].item<double>(), 1e-5);
    }
    grown.answer_positions = {static_cast<int32_t>(grown.tokens.size())};
    grown.tokens.push_back(reply.tokens[i]);
    for (auto& axis : grown.positions) axis.push_back(grown.next_position);
    ++grown.next_position;
  }
}

TEST_F(EngineOfOneModel, EndsAtAStopTokenThatIsABadWord) {
  auto engine = spoken_.engine();
  for (const int64_t num_beams : {1, 3}) {
    auto decoding = of_length(12, {spoken_.greedy[0][2]});
    decoding.num_beams = num_beams;
    const auto expected = generate(engine, prompt_, decoding);
    if (num_beams == 1) EXPECT_EQ(expected.finish, Finish::kStop);
    decoding.bad_words_ids = {{spoken_.greedy[0][2]}};
    const auto reply = generate(engine, prompt_, decoding);
    EXPECT_EQ(reply.tokens, expected.tokens) << num_beams;
    EXPECT_EQ(reply.finish, expected.finish) << num_beams;
  }
}

TEST_F(EngineOfOneModel, DoesNotLetShorterPromptsPassALongOne) {
  auto engine = spoken_.engine({8, 1024, fixtures::cache_bytes(*spoken_.model, 3)});
  std::vector<char> ended;
  for (const auto& [name, length] : {std::pair('a', 10), std::pair('b', 40), std::pair('c', 10), std::pair('d', 10)}) {
    engine.submit({text_prompt(length, 3), of_length(6), nullptr,
                   [&ended, letter = name](const Reply&) { ended.push_back(letter); }, nullptr});
  }
  engine.step();
  EXPECT_EQ(engine.num_waiting(), 3) << "the second one needs a block more than are free";
  while (engine.step()) {
  }
  EXPECT_EQ(std::string(ended.begin(), ended.end()), "abcd");
}

TEST_F(EngineOfOneModel, ReadsOtherPromptsWhileOneWaitsForABlockThatIsBeingFilled) {
  auto engine = spoken_.engine({8, 8, fixtures::cache_bytes(*spoken_.model, 8)});
  for (const int length : {40, 40, 10})
    engine.submit({text_prompt(length, length == 10 ? 5 : 3), of_length(2), nullptr, nullptr, nullptr});
  engine.step();
  EXPECT_EQ(engine.num_waiting(), 1) << "the second prompt's blocks are the first one's";
  while (engine.step()) {
  }
}

TEST_F(EngineOfOneModel, ForgetsTheEndOfAPromptBeforeItsBeginning) {
  auto engine = spoken_.engine({8, 1024, fixtures::cache_bytes(*spoken_.model, 4)});
  generate(engine, text_prompt(49, 3), of_length(1));  // three full blocks, and one that nobody finds again
  generate(engine, text_prompt(17, 5), of_length(1));  // two blocks
  EXPECT_EQ(generate(engine, text_prompt(49, 3), of_length(1)).num_cached_tokens, 2 * KvCache::kBlockTokens);
}

TEST_F(EngineOfOneModel, StopsForAClientThatIsGone) {
  auto engine = spoken_.engine();
  int told = 0;
  const auto reply = generate(engine, prompt_, of_length(12), [&](std::string_view) { return ++told < 4; });
  EXPECT_EQ(reply.finish, Finish::kCancelled);
  EXPECT_LE(std::ssize(reply.tokens), 4);
  EXPECT_EQ(engine.num_unfinished(), 0);
  EXPECT_EQ(generate(engine, prompt_, of_length(12)).tokens, spoken_.greedy[0]);
}

TEST_F(EngineOfOneModel, RefusesWhatCanNeverBeAnswered) {
  auto small = spoken_.engine({8, 1024, fixtures::cache_bytes(*spoken_.model, 2)});
  auto prompt = prompt_;
  const auto lengthen = [&](size_t length) {
    prompt.tokens.resize(length, 3);
    for (auto& axis : prompt.positions) axis.resize(length, 0);
  };
  lengthen(32);
  EXPECT_NE(message_of([&] {
              small.submit({prompt, of_length(1), nullptr, nullptr, nullptr});
            }).find("the cache of"),
            std::string::npos);
  auto engine = spoken_.engine();
  lengthen(32768);
  EXPECT_NE(message_of([&] {
              engine.submit({prompt, of_length(1), nullptr, nullptr, nullptr});
            }).find("context"),
            std::string::npos);
  auto beams = of_length(1);
  beams.num_beams = 33;
  EXPECT_NE(message_of([&] {
              engine.submit({prompt_, beams, nullptr, nullptr, nullptr});
            }).find("33 beams"),
            std::string::npos);
}

TEST_F(EngineOfOneModel, EndsWhereTheCacheIsFull) {
  auto small = spoken_.engine({8, 1024, fixtures::cache_bytes(*spoken_.model, 2)});
  const auto reply = generate(small, prompt_, of_length(1000));
  EXPECT_EQ(std::ssize(reply.tokens) + std::ssize(prompt_.tokens), 2 * KvCache::kBlockTokens);
  EXPECT_EQ(reply.finish, Finish::kLength);
}

TEST_F(EngineOfOneModel, NamesTheLayerThatIsNotFiniteAndGoesOn) {
  auto engine = spoken_.engine();
  at::NoGradGuard no_grad;
  at::Tensor weight;
  for (const auto& [name, tensor] : spoken_.model->named_parameters()) {
    if (name == "decoder.layers.1.mlp.up_proj.weight") weight = tensor;
  }
  const auto kept = weight.detach();
  weight.set_data(at::full_like(kept, std::numeric_limits<float>::quiet_NaN()));  // the file's own is read-only
  std::string message;
  engine.submit({prompt_, of_length(3), nullptr, nullptr, [&](const std::exception_ptr& error) {
                   try {
                     std::rethrow_exception(error);
                   } catch (const std::exception& thrown) {
                     message = thrown.what();
                   }
                 }});
  EXPECT_FALSE(engine.step());
  EXPECT_NE(message.find("layer 2 of"), std::string::npos) << message;
  weight.set_data(kept);
  // What was computed of the prompt must not be found again.
  EXPECT_EQ(generate(engine, prompt_, of_length(12)).tokens, spoken_.greedy[0]);
}

}  // namespace engine_tests
}  // namespace vlsi
