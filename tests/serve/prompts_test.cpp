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
  ModelConfig config;
  config.text.max_position_embeddings = context;
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

TEST(Prompts, OfTextHaveNoTemplateAndTakeItsControlTokens) {
  AnswerRequest request;
  request.prompts = {"red <|im_end|>", std::vector<int32_t>{1, 2, 3}};
  const auto& tokenizer = tiny_processor().tokenizer();
  const auto samples = prompts_of(request, tiny_processor(), ModelConfig());
  ASSERT_EQ(samples.size(), 2U);
  EXPECT_EQ(samples[0].tokens, tokenizer.encode("red <|im_end|>", SpecialText::kControl));
  EXPECT_EQ(samples[0].tokens.back(), tokenizer.require("<|im_end|>"));
  EXPECT_EQ(samples[1].tokens, (std::vector<int32_t>{1, 2, 3}));
  EXPECT_EQ(samples[1].positions, (std::vector<std::vector<int32_t>>(3, {0, 1, 2})));
  EXPECT_EQ(samples[1].answer_positions, std::vector<int32_t>{2});
  EXPECT_EQ(samples[1].next_position, 3);
  request.prompts = {""};
  EXPECT_EQ(refusal_in(request, 100), "400 prompt ");
}

TEST(Prompts, OfTextAreThoseOfTheConversationThatTheyWrite) {
  const auto conversation = chat_of({"what color?"});
  AnswerRequest request;
  request.prompts = {
      "<|im_start|>system\nsystem<|im_end|>\n<|im_start|>user\nwhat color?<|im_end|>\n"
      "<|im_start|>assistant\n"};
  EXPECT_EQ(prompt_in(request, 1000).tokens, prompt_in(conversation, 1000).tokens);
}

TEST(Prompts, OfTextHaveNoPictureToken) {
  ModelConfig config;
  config.image_token_id = tiny_processor().tokenizer().require("<|image_pad|>");
  for (const PlainPrompt& prompt :
       {PlainPrompt("a <|image_pad|>?"),
        PlainPrompt(std::vector<int32_t>{1, static_cast<int32_t>(config.image_token_id)})}) {
    AnswerRequest request;
    request.prompts = {prompt};
    try {
      prompts_of(request, tiny_processor(), config);
      ADD_FAILURE() << "taken";
    } catch (const RequestError& error) {
      EXPECT_EQ(error.status, 400);
      EXPECT_EQ(error.param, "prompt");
      EXPECT_NE(std::string(error.what()).find("the token of a picture"), std::string::npos) << error.what();
    }
  }
}

TEST(Prompts, AreAdvisedToLoseTurnsWhereTheyHaveSome) {
  const auto message_in = [](const AnswerRequest& request) {
    try {
      prompt_in(request, 3);
    } catch (const RequestError& error) {
      return concat(error.code, ": ", error.what());
    }
    return std::string("taken");
  };
  const std::string advice = "truncate_prompt", chat = message_in(chat_of({"what color is the shape?"}));
  EXPECT_NE(chat.find(advice), chat.npos) << chat;
  AnswerRequest completion;
  completion.prompts = {std::vector<int32_t>{1, 2, 3}};
  EXPECT_EQ(message_in(completion),
            "context_length_exceeded: the prompt has 3 tokens, expected fewer than the model's context of 3");
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

/// The tiny processor, which counts what it reads.
class CountingProcessor : public Processor {
 public:
  Sample encode(const Conversation& conversation) const override { return tiny_processor().encode(conversation); }
  Sample encode_prompt(const Conversation& conversation) const override {
    auto sample = outline_prompt(conversation);
    fill(conversation, sample);
    return sample;
  }
  Sample outline_prompt(const Conversation& conversation) const override {
    ++num_outlines;
    return tiny_processor().outline_prompt(conversation);
  }
  void fill(const Conversation& conversation, Sample& outline) const override {
    ++num_fills;
    tiny_processor().fill(conversation, outline);
  }
  const Tokenizer& tokenizer() const override { return tiny_processor().tokenizer(); }
  int32_t end_of_turn() const override { return tiny_processor().end_of_turn(); }
  ProcessorFingerprint fingerprint() const override { return tiny_processor().fingerprint(); }

  mutable int num_outlines = 0, num_fills = 0;
};

TEST(Prompts, OfManyTurnsAreCutInFewReadings) {
  const std::vector<std::string> texts(201, "what color?");
  auto request = chat_of(texts);
  request.truncates_prompt = true;
  for (const int64_t context : {120, 300, 1000}) {
    // As much of the end as has room.
    std::vector<int32_t> expected;
    for (size_t begin = 0; begin < texts.size(); begin += 2) {
      expected = prompt_in(chat_of({texts.begin() + static_cast<std::ptrdiff_t>(begin), texts.end()}), 100'000).tokens;
      if (std::ssize(expected) <= context - request.decoding.max_new_tokens) break;
    }
    const CountingProcessor processor;
    ModelConfig config;
    config.text.max_position_embeddings = context;
    EXPECT_EQ(prompts_of(request, processor, config).front().tokens, expected) << context;
    EXPECT_LE(processor.num_outlines, 9) << "the whole, seven halvings of a hundred places, and what is left";
    EXPECT_EQ(processor.num_fills, 1);
  }
}

/// One picture alone has more tokens than several beside each other, as in LLaVA-OneVision.
class AnyresProcessor : public CountingProcessor {
 public:
  Sample outline_prompt(const Conversation& conversation) const override {
    auto plain = conversation;
    size_t num_pictures = 0;
    for (auto& turn : plain.turns) {
      num_pictures += std::erase_if(turn.contents, [](const auto& one) { return one.kind == Content::Kind::kImage; });
    }
    auto sample = CountingProcessor::outline_prompt(plain);
    const size_t num_tokens = num_pictures == 1 ? kAlone : num_pictures * kBeside;
    sample.tokens.insert(sample.tokens.end(), num_tokens, 1);
    return sample;
  }
  void fill(const Conversation&, Sample&) const override {}

  static constexpr size_t kAlone = 500, kBeside = 50;
};

TEST(Prompts, KeepSeveralPicturesWhereOneAloneWouldHaveMoreTokens) {
  std::vector<std::string> texts(21, "what color?");
  auto request = chat_of(texts);
  request.truncates_prompt = true;
  for (const size_t turn : {7, 11, 21}) {  // of the user's
    request.conversation.turns[turn].contents.push_back({Content::Kind::kImage, "", "picture"});
  }
  const AnyresProcessor processor;
  const auto whole = std::ssize(processor.outline_prompt(request.conversation).tokens);
  ModelConfig config;
  for (const int64_t fewer : {10, 60}) {
    config.text.max_position_embeddings = whole + request.decoding.max_new_tokens - fewer;
    const auto prompt = prompts_of(request, processor, config).front();
    EXPECT_LE(std::ssize(prompt.tokens), whole - fewer);
    EXPECT_GT(std::ssize(prompt.tokens), whole - fewer - 80) << "as few turns as need be";
  }
}

TEST(Prompts, AreNotCutAnyFurtherWhenNobodyWaits) {
  struct Gone {};
  auto request = chat_of(std::vector<std::string>(201, "what color?"));
  request.truncates_prompt = true;
  ModelConfig config;
  config.text.max_position_embeddings = 100;
  const CountingProcessor processor;
  int num_looks = 0;
  const auto look = [&] {
    if (++num_looks == 3) throw Gone();
  };
  EXPECT_THROW(prompts_of(request, processor, config, look), Gone);
  EXPECT_EQ(processor.num_outlines, 3) << "the whole, and two shorter ones";
  EXPECT_EQ(processor.num_fills, 0);
}

TEST(Prompts, ThatAreTooLongAreRefusedBeforeTheirPicturesAreDecoded) {
  // It asks for 2^28 pixels, gigabytes of patches, and its pixels are broken: reading them has another error.
  const auto file = content_of(std::filesystem::path(VLSI_TEST_DATA) / "images/rgb_8.png");
  PictureLimits limits;
  limits.min_pixels = limits.max_pixels = int64_t{1} << 28;
  auto request = chat_of({"a"});
  request.conversation.turns[1].contents.push_back(
      {Content::Kind::kImage, "", "broken", file.substr(0, file.size() / 2), limits});
  EXPECT_EQ(refusal_in(request, 2048), "400 messages context_length_exceeded");
  request.conversation.turns[1].contents.back().limits = {};
  EXPECT_EQ(refusal_in(request, 2048), "400 messages ") << "it fits, and is broken";
}

TEST(Prompts, WithABrokenPictureAreRefused) {
  auto request = chat_of({"a"});
  request.conversation.turns[1].contents.push_back({Content::Kind::kImage, "", "broken", "no picture"});
  EXPECT_EQ(refusal_in(request, 1000), "400 messages ");
}

}  // namespace
}  // namespace vlsi
