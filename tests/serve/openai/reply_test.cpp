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

/// Of a completion's answer of these tokens, whose likely ones are `likely`.
OrderedJson completion_logprobs_of(const std::vector<int32_t>& tokens, const std::string& text,
                                   const std::vector<std::pair<int32_t, double>>& likely = {}) {
  Reply reply;
  reply.text = text;
  reply.tokens = tokens;
  for (const int32_t token : tokens) reply.logprobs.push_back({token, -3, likely});
  return whole_answer(kPlainHeadWithLogprobs, tiny_tokenizer(), {reply}, 1)["choices"][0]["logprobs"];
}

/// The token of a byte that is no text by itself.
int32_t token_of_byte(char byte) {
  for (int32_t token = 0; token < tiny_tokenizer().size(); ++token) {
    if (tiny_tokenizer().bytes(token) == std::string(1, byte)) return token;
  }
  return -1;
}

TEST(WholeAnswer, KeepsTheLikeliestOfTokensWithTheSameText) {
  const auto chosen = tiny_tokenizer().require("r");
  const auto top = completion_logprobs_of(
      {chosen}, "r", {{token_of_byte('\xE2'), -0.25}, {token_of_byte('\xE3'), -2.5}})["top_logprobs"][0];
  EXPECT_EQ(top, OrderedJson::parse("{\"\xEF\xBF\xBD\": -0.25, \"r\": -3.0}")) << "and has the chosen one";
  const auto likely = completion_logprobs_of({chosen}, "r", {{chosen, -3}})["top_logprobs"][0];
  EXPECT_EQ(likely.size(), 1U) << likely;
}

TEST(WholeAnswer, HasOffsetsIntoItsText) {
  const auto r = tiny_tokenizer().require("r"), special = tiny_tokenizer().require("<|im_start|>");
  const auto offsets = [](const std::vector<int32_t>& tokens, const std::string& text) {
    return completion_logprobs_of(tokens, text)["text_offset"].get<std::vector<int>>();
  };
  EXPECT_EQ(offsets({r, special, r}, "rr"), (std::vector<int>{0, 1, 1})) << "a special token gives no text";
  // A byte that begins nothing is one code point, and so are two that are one together.
  EXPECT_EQ(offsets({token_of_byte('\xFF'), r}, "\xEF\xBF\xBDr"), (std::vector<int>{0, 1}));
  EXPECT_EQ(offsets({token_of_byte('\xC3'), token_of_byte('\xA9'), r}, "\xC3\xA9r"), (std::vector<int>{0, 0, 1}));
  EXPECT_EQ(offsets({r, r, r}, "r"), (std::vector<int>{0, 1, 1})) << "a stop text took the rest";
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
  AnswerStream stream(kChatHeadWithLogprobs, tiny_tokenizer(), /*with_usage=*/true);
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
  AnswerStream stream(kPlainHead, tiny_tokenizer(), /*with_usage=*/false);
  EXPECT_EQ(stream.begin(0), "");
  const auto text = data_of(stream.text(0, "a"));
  EXPECT_EQ(text["choices"][0]["text"], "a");
  EXPECT_FALSE(text.contains("usage"));
  EXPECT_EQ(data_of(stream.end(0, reply_of("a", Finish::kStop, false)))["choices"][0]["text"], "");
}

TEST(AnswerStream, SendsLogprobsWithTheirTextsAndTheRestAtTheEnd) {
  const auto reply = reply_of("rrr", Finish::kStop, true);
  ASSERT_EQ(reply.logprobs.size(), 3U);
  const std::span<const TokenLogprob> all(reply.logprobs);
  AnswerStream plain(kPlainHeadWithLogprobs, tiny_tokenizer(), false);
  const auto offsets = [](const std::string& event) {
    return data_of(event)["choices"][0]["logprobs"]["text_offset"].get<std::vector<int>>();
  };
  EXPECT_EQ(offsets(plain.text(0, "r", all.first(1))), std::vector<int>{0});
  EXPECT_EQ(offsets(plain.text(1, "rr", all.first(2))), (std::vector<int>{0, 1})) << "another choice's";
  EXPECT_EQ(offsets(plain.text(0, "r", all.subspan(1, 1))), std::vector<int>{1});
  EXPECT_EQ(offsets(plain.end(0, reply)), std::vector<int>{2});
  AnswerStream chat(kChatHeadWithLogprobs, tiny_tokenizer(), false);
  const auto content = [](const std::string& event) { return data_of(event)["choices"][0]["logprobs"]["content"]; };
  EXPECT_EQ(content(chat.text(0, "rr", all.first(2))).size(), 2U);
  EXPECT_EQ(content(chat.end(0, reply)).size(), 1U);
  AnswerStream without(kChatHead, tiny_tokenizer(), false);
  EXPECT_TRUE(data_of(without.text(0, "r"))["choices"][0]["logprobs"].is_null());
}

TEST(AnswerHead, HasAnIdOfItsOwn) {
  EXPECT_TRUE(new_answer_head("m", true, false).id.starts_with("chatcmpl-"));
  EXPECT_TRUE(new_answer_head("m", false, false).id.starts_with("cmpl-"));
  EXPECT_NE(new_answer_head("m", true, false).id, new_answer_head("m", true, false).id);
}

}  // namespace
}  // namespace vlsi
