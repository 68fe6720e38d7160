// Answers as clients of OpenAI's interface read them.
#include "serve/openai/reply.h"

#include <gtest/gtest.h>

namespace vlsi {
namespace {

const Tokenizer& tiny_tokenizer() {
  static const auto tokenizer = Tokenizer::load(std::filesystem::path(VLSI_TEST_DATA) / "tiny/tokenizer");
  return tokenizer;
}

/// A reply of the tokens of `text`, each with a likely alternative.
Reply reply_of(const std::string& text, Finish finish, bool has_logprobs) {
  Reply reply;
  reply.text = text;
  reply.tokens = tiny_tokenizer().encode(text, SpecialText::kPlain);
  reply.finish = finish;
  reply.num_prompt_tokens = 10;
  reply.num_image_tokens = 4;
  reply.num_cached_tokens = 6;
  for (const int32_t token : reply.tokens) {
    if (has_logprobs) reply.logprobs.push_back({token, -0.5, {{token, -0.5}, {1, -2}}});
  }
  return reply;
}

const AnswerHead kChatHead{"chatcmpl-1", "m", 5, true, false}, kPlainHead{"cmpl-1", "m", 5, false, false},
    kChatHeadWithLogprobs{"chatcmpl-1", "m", 5, true, true}, kPlainHeadWithLogprobs{"cmpl-1", "m", 5, false, true};

TEST(WholeAnswer, HasTheFormOfAChatCompletion) {
  const auto answer = whole_answer(kChatHead, tiny_tokenizer(), {reply_of("red", Finish::kStop, false)}, 1);
  EXPECT_EQ(answer, OrderedJson::parse(R"({"id": "chatcmpl-1", "object": "chat.completion", "created": 5, "model": "m",
      "choices": [{"index": 0, "message": {"role": "assistant", "content": "red", "refusal": null}, "logprobs": null,
                   "finish_reason": "stop"}],
      "usage": {"prompt_tokens": 10, "completion_tokens": )" +
                                       std::to_string(reply_of("red", Finish::kStop, false).tokens.size()) +
                                       R"(, "total_tokens": )" +
                                       std::to_string(10 + reply_of("red", Finish::kStop, false).tokens.size()) +
                                       R"(, "prompt_tokens_details": {"cached_tokens": 6, "image_tokens": 4}}})"));
}

TEST(WholeAnswer, SaysWhichChoicesWereCutAndCountsAPromptOnce) {
  const std::vector<Reply> replies{reply_of("a", Finish::kLength, false), reply_of("b", Finish::kStop, false)};
  const auto answer = whole_answer(kPlainHead, tiny_tokenizer(), replies, 2);
  EXPECT_EQ(answer["object"], "text_completion");
  EXPECT_EQ(answer["choices"][0]["finish_reason"], "length");
  EXPECT_EQ(answer["choices"][1]["finish_reason"], "stop");
  EXPECT_EQ(answer["choices"][1]["index"], 1);
  EXPECT_EQ(answer["choices"][1]["text"], "b");
  EXPECT_EQ(answer["usage"]["prompt_tokens"], 10) << "two answers to one prompt";
  EXPECT_EQ(whole_answer(kPlainHead, tiny_tokenizer(), replies, 1)["usage"]["prompt_tokens"], 20) << "two prompts";
}

TEST(WholeAnswer, HasLogprobsOfBothForms) {
  const auto reply = reply_of("r\xC3\xA9", Finish::kStop, true);
  const auto chat = whole_answer(kChatHeadWithLogprobs, tiny_tokenizer(), {reply}, 1)["choices"][0]["logprobs"];
  ASSERT_EQ(chat["content"].size(), reply.tokens.size());
  EXPECT_EQ(chat["content"][0]["token"], "r");
  EXPECT_EQ(chat["content"][0]["logprob"], -0.5);
  EXPECT_EQ(chat["content"][0]["bytes"], OrderedJson::array({'r'}));
  EXPECT_EQ(chat["content"][0]["top_logprobs"].size(), 2U);
  std::string bytes;
  for (const auto& token : chat["content"])
    for (const auto& byte : token["bytes"]) bytes += static_cast<char>(byte.get<int>());
  EXPECT_EQ(bytes, reply.text);
  const auto plain = whole_answer(kPlainHeadWithLogprobs, tiny_tokenizer(), {reply}, 1)["choices"][0]["logprobs"];
  EXPECT_EQ(plain["tokens"][0], "r");
  EXPECT_EQ(plain["token_logprobs"].size(), reply.tokens.size());
  EXPECT_EQ(plain["top_logprobs"][0]["r"], -0.5);
  EXPECT_EQ(plain["text_offset"][0], 0);
  EXPECT_EQ(plain["text_offset"][1], 1);
}

TEST(WholeAnswer, HasEmptyLogprobsOfNoTokens) {
  const auto logprobs = [](const AnswerHead& head) {
    return whole_answer(head, tiny_tokenizer(), {reply_of("", Finish::kStop, false)}, 1)["choices"][0]["logprobs"];
  };
  EXPECT_EQ(logprobs(kChatHeadWithLogprobs), OrderedJson::parse(R"({"content": [], "refusal": null})"));
  EXPECT_EQ(logprobs(kPlainHeadWithLogprobs),
            OrderedJson::parse(R"({"tokens": [], "token_logprobs": [], "top_logprobs": [], "text_offset": []})"));
  EXPECT_TRUE(logprobs(kChatHead).is_null());
  EXPECT_TRUE(logprobs(kPlainHead).is_null());
}

/// The data of an event.
OrderedJson data_of(const std::string& event) {
  EXPECT_TRUE(event.starts_with("data: {") && event.ends_with("}\n\n")) << event;
  EXPECT_EQ(event.find('\n'), event.size() - 2) << "one line";
  return OrderedJson::parse(event.substr(6));
}

TEST(AnswerStream, SendsChunksOfAChat) {
  const AnswerStream stream(kChatHeadWithLogprobs, tiny_tokenizer(), /*with_usage=*/true);
  const auto begin = data_of(stream.begin(1));
  EXPECT_EQ(begin["object"], "chat.completion.chunk");
  EXPECT_EQ(begin["id"], "chatcmpl-1");
  EXPECT_EQ(begin["choices"], OrderedJson::parse(R"([{"index": 1, "delta": {"role": "assistant", "content": ""},
      "logprobs": null, "finish_reason": null}])"));
  EXPECT_TRUE(begin["usage"].is_null());
  EXPECT_EQ(data_of(stream.text(0, "a\n\"b"))["choices"][0]["delta"], OrderedJson({{"content", "a\n\"b"}}));
  const auto end = data_of(stream.end(0, reply_of("red", Finish::kLength, true)))["choices"][0];
  EXPECT_EQ(end["delta"], OrderedJson::object());
  EXPECT_EQ(end["finish_reason"], "length");
  EXPECT_FALSE(end["logprobs"]["content"].empty());
  const auto usage = data_of(stream.usage({.prompt_tokens = 3, .answer_tokens = 2}));
  EXPECT_EQ(usage["choices"], OrderedJson::array());
  EXPECT_EQ(usage["usage"]["total_tokens"], 5);
}

TEST(AnswerStream, SendsTextsOfACompletionWithoutABeginning) {
  const AnswerStream stream(kPlainHead, tiny_tokenizer(), /*with_usage=*/false);
  EXPECT_EQ(stream.begin(0), "");
  const auto text = data_of(stream.text(0, "a"));
  EXPECT_EQ(text["choices"][0]["text"], "a");
  EXPECT_FALSE(text.contains("usage"));
  EXPECT_EQ(data_of(stream.end(0, reply_of("a", Finish::kStop, false)))["choices"][0]["text"], "");
}

TEST(AnswerHead, HasAnIdOfItsOwn) {
  EXPECT_TRUE(new_answer_head("m", true, false).id.starts_with("chatcmpl-"));
  EXPECT_TRUE(new_answer_head("m", false, false).id.starts_with("cmpl-"));
  EXPECT_NE(new_answer_head("m", true, false).id, new_answer_head("m", true, false).id);
}

}  // namespace
}  // namespace vlsi
