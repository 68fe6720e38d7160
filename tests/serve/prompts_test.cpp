// Prompts within a model's context.
#include "serve/prompts.h"

#include <gtest/gtest.h>

#include "serve/openai/error.h"
#include "tests/serve/tiny_speaker.h"

namespace vlsi {
namespace {

const Processor& tiny_processor() {
  static const TinySpeaker tiny;
  return *tiny.speaker.processor;
}

AnswerRequest chat_of(const std::vector<std::string>& texts) {
  AnswerRequest request;
  request.is_chat = true;
  request.decoding.max_new_tokens = 8;
  request.conversation.turns.push_back({Role::kSystem, {{Content::Kind::kText, "system", {}}}});
  for (size_t i = 0; i < texts.size(); ++i)
    request.conversation.turns.push_back(
        {i % 2 == 0 ? Role::kUser : Role::kAssistant, {{Content::Kind::kText, texts[i], {}}}});
  return request;
}

Sample prompt_in(const AnswerRequest& request, int64_t context) {
  TextConfig config;
  config.max_position_embeddings = context;
  return prompts_of(request, tiny_processor(), config).front();
}

std::string refusal_in(const AnswerRequest& request, int64_t context) {
  try {
    prompt_in(request, context);
  } catch (const RequestError& error) {
    return concat(error.status, " ", error.param, " ", error.code);
  }
  return "taken";
}

TEST(Prompts, OfAConversationAreTheProcessors) {
  const auto request = chat_of({"what color?"});
  EXPECT_EQ(prompt_in(request, 1000).tokens, tiny_processor().encode_prompt(request.conversation).tokens);
}

TEST(Prompts, OfPlainTextHaveNoTemplateAndNoSpecialTokens) {
  AnswerRequest request;
  request.prompts = {"red <|im_end|>", std::vector<int32_t>{1, 2, 3}};
  TextConfig config;
  const auto samples = prompts_of(request, tiny_processor(), config);
  ASSERT_EQ(samples.size(), 2U);
  EXPECT_EQ(samples[0].tokens, tiny_processor().tokenizer().encode("red <|im_end|>", SpecialText::kPlain));
  for (const int32_t token : samples[0].tokens) EXPECT_FALSE(tiny_processor().tokenizer().is_special(token));
  EXPECT_EQ(samples[1].tokens, (std::vector<int32_t>{1, 2, 3}));
  EXPECT_EQ(samples[1].positions, (std::vector<std::vector<int32_t>>(3, {0, 1, 2})));
  EXPECT_EQ(samples[1].answer_positions, std::vector<int32_t>{2});
  EXPECT_EQ(samples[1].next_position, 3);
  request.prompts = {""};
  EXPECT_EQ(refusal_in(request, 100), "400 prompt ");
}

TEST(Prompts, ThatAreTooLongAreRefusedOrLoseTheirOldestTurns) {
  const std::string words = "what color is the shape? what color is the shape?";
  auto request = chat_of({words, "red", words, "blue", "is it blue?"});
  const auto length = std::ssize(prompt_in(request, 100'000).tokens);
  EXPECT_EQ(refusal_in(request, length), "400 messages context_length_exceeded");
  EXPECT_EQ(refusal_in(request, length + 1), "taken");
  request.truncates_prompt = true;
  auto shorter = chat_of({words, "blue", "is it blue?"});
  EXPECT_EQ(prompt_in(request, length).tokens, prompt_in(shorter, 100'000).tokens) << "the system turn stays";
  const auto last = prompt_in(chat_of({"is it blue?"}), 100'000).tokens;
  EXPECT_EQ(prompt_in(request, std::ssize(last) + 9).tokens, last);
  EXPECT_EQ(refusal_in(request, std::ssize(last)), "400 messages context_length_exceeded") << "the last turn stays";
}

TEST(Prompts, WithABrokenPictureAreRefused) {
  auto request = chat_of({"a"});
  request.conversation.turns[1].contents.push_back({Content::Kind::kImage, "", "broken", "no picture"});
  EXPECT_EQ(refusal_in(request, 1000), "400 messages ");
}

}  // namespace
}  // namespace vlsi
