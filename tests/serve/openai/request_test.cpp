// Bodies as the clients send them, and wrong ones.
#include "serve/openai/request.h"

#include <gtest/gtest.h>

#include "base/base64.h"
#include "serve/openai/error.h"
#include "tests/support/files.h"

namespace vlsi {
namespace {

const Tokenizer& tokenizer_of_requests() {
  static const auto tokenizer = Tokenizer::load(std::filesystem::path(VLSI_TEST_DATA) / "tiny/tokenizer");
  return tokenizer;
}

RequestRules rules_of_test() {
  RequestRules rules;
  rules.model = "m";
  rules.vocab_size = 300;
  rules.tokenizer = &tokenizer_of_requests();
  rules.defaults.max_new_tokens = 77;
  return rules;
}

std::string chat_body(const std::string& more) {
  return R"({"model": "m", "messages": [{"role": "user", "content": "hello"}])" + (more.empty() ? "" : ", " + more) +
         "}";
}

AnswerRequest chat(const std::string& more) { return read_chat_request(chat_body(more), rules_of_test()); }

AnswerRequest completion(const std::string& more) {
  return read_completion_request(R"({"model": "m", )" + more + "}", rules_of_test());
}

/// Status, key and message of the refusal.
std::string refusal_of(const std::function<void()>& read) {
  try {
    read();
  } catch (const RequestError& error) {
    return concat(error.status, " ", error.param, ": ", error.what());
  }
  return "taken";
}

void expect_refused(const std::string& more, const std::string& key, const std::string& part = "") {
  const auto refusal = refusal_of([&] { chat(more); });
  EXPECT_TRUE(refusal.starts_with("400 " + key + ": ")) << more << ": " << refusal;
  EXPECT_NE(refusal.find(part), refusal.npos) << refusal;
}

TEST(ChatRequest, OfTheOpenAiPackageIsRead) {
  const auto request = chat(R"("max_completion_tokens": 20, "temperature": 0.5, "top_p": 0.9, "presence_penalty": 0.5,
      "frequency_penalty": -1, "seed": 7, "n": 3, "stop": ["\n", "END"], "stream": true,
      "stream_options": {"include_usage": true}, "logprobs": true, "top_logprobs": 4, "user": "somebody")");
  EXPECT_TRUE(request.is_chat);
  EXPECT_EQ(request.decoding.max_new_tokens, 20);
  EXPECT_TRUE(request.decoding.sample);
  EXPECT_EQ(request.decoding.temperature, 0.5);
  EXPECT_EQ(request.decoding.top_p, 0.9);
  EXPECT_EQ(request.decoding.presence_penalty, 0.5);
  EXPECT_EQ(request.decoding.frequency_penalty, -1);
  EXPECT_EQ(request.decoding.seed, 7U);
  EXPECT_EQ(request.decoding.stop, (std::vector<std::string>{"\n", "END"}));
  EXPECT_EQ(request.decoding.top_logprobs, 4);
  EXPECT_EQ(request.num_answers, 3);
  EXPECT_TRUE(request.is_stream);
  EXPECT_TRUE(request.wants_usage);
}

TEST(ChatRequest, OfVlmEvalKitIsRead) {
  const std::string png = base64(content_of(std::filesystem::path(VLSI_TEST_DATA) / "images/rgb_8.png"));
  const auto request = read_chat_request(R"({"model": "m", "messages": [{"role": "system", "content": "Be brief."},
      {"role": "user", "content": [{"type": "image_url", "image_url": {"url": "data:image/png;base64,)" +
                                             png +
                                             R"(", "detail": "low"}}, {"type": "text", "text": "What?"}]}],
      "n": 1, "max_tokens": 32768, "temperature": 0.0, "top_k": -1, "repetition_penalty": 1.05,
      "mm_processor_kwargs": {"max_pixels": 1}})",
                                         rules_of_test());
  const auto& turns = request.conversation.turns;
  ASSERT_EQ(turns.size(), 2U);
  EXPECT_EQ(turns[0].role, Role::kSystem);
  ASSERT_EQ(turns[1].contents.size(), 2U);
  EXPECT_EQ(turns[1].contents[0].kind, Content::Kind::kImage);
  EXPECT_EQ(base64(turns[1].contents[0].picture_file), png);
  EXPECT_EQ(turns[1].contents[1].text, "What?");
  EXPECT_FALSE(request.decoding.sample) << "temperature 0 is greedy";
  EXPECT_EQ(request.decoding.max_new_tokens, 32768);
  EXPECT_EQ(request.decoding.top_k, 0) << "-1 is all";
  EXPECT_EQ(request.decoding.repetition_penalty, 1.05);
}

TEST(ChatRequest, LeavesTheServersDefaultsWhereItSaysNothing) {
  auto rules = rules_of_test();
  rules.defaults.sample = true;
  rules.defaults.temperature = 0.25;
  const auto request = read_chat_request(chat_body(R"("temperature": null, "max_tokens": null)"), rules);
  EXPECT_TRUE(request.decoding.sample);
  EXPECT_EQ(request.decoding.temperature, 0.25);
  EXPECT_EQ(request.decoding.max_new_tokens, 77);
  EXPECT_EQ(request.num_answers, 1);
  EXPECT_FALSE(request.is_stream);
  EXPECT_FALSE(request.decoding.top_logprobs);
  EXPECT_NE(request.decoding.seed, read_chat_request(chat_body(""), rules).decoding.seed) << "drawn anew";
  EXPECT_EQ(chat(R"("max_tokens": 5, "max_completion_tokens": 6)").decoding.max_new_tokens, 6);
  EXPECT_EQ(chat(R"("stop": "x")").decoding.stop, std::vector<std::string>{"x"});
}

TEST(ChatRequest, TellsOfKeysThatHaveNoEffect) {
  auto rules = rules_of_test();
  std::vector<std::string> ignored;
  rules.ignore = [&](const std::string& key) { ignored.push_back(key); };
  read_chat_request(chat_body(R"("user": "u", "min_p": 0.1, "chat_template_kwargs": {}, "best": null)"), rules);
  EXPECT_EQ(ignored, (std::vector<std::string>{"chat_template_kwargs", "user"}));
}

TEST(ChatRequest, RefusesWrongTypesAndValuesByTheirKey) {
  for (const char* key : {"temperature",
                          "top_p",
                          "top_k",
                          "min_p",
                          "seed",
                          "n",
                          "max_tokens",
                          "max_completion_tokens",
                          "presence_penalty",
                          "frequency_penalty",
                          "repetition_penalty",
                          "stream",
                          "logprobs",
                          "top_logprobs",
                          "truncate_prompt",
                          "min_tokens",
                          "no_repeat_ngram_size",
                          "stop_token_ids",
                          "bad_words",
                          "do_sample"})
    expect_refused(concat("\"", key, "\": \"2\""), key, "a string");
  expect_refused(R"("n": 0)", "n", "1 to 8");
  expect_refused(R"("n": 9)", "n", "1 to 8");
  expect_refused(R"("n": 1.5)", "n");
  expect_refused(R"("max_tokens": 0)", "max_tokens");
  expect_refused(R"("min_tokens": -1)", "min_tokens");
  expect_refused(R"("no_repeat_ngram_size": -1)", "no_repeat_ngram_size");
  expect_refused(R"("stop_token_ids": [5, 300])", "stop_token_ids", "300");
  expect_refused(R"("stop_token_ids": [-1])", "stop_token_ids", "-1");
  expect_refused(R"("stop_token_ids": ["a"])", "stop_token_ids", "stop_token_ids[0]");
  expect_refused(concat("\"stop_token_ids\": ", Json(std::vector<int64_t>(1025, 1)).dump()), "stop_token_ids", "1024");
  expect_refused(R"("bad_words": [""])", "bad_words", "empty");
  expect_refused(R"("bad_words": [5])", "bad_words", "bad_words[0]");
  expect_refused(R"("temperature": -1)", "temperature");
  expect_refused(R"("temperature": 1e999)", "");
  expect_refused(R"("presence_penalty": 3)", "presence_penalty", "-2 to 2");
  expect_refused(R"("top_p": 1.5)", "", "top_p");
  expect_refused(R"("top_p": -0.5)", "", "top_p");
  expect_refused(R"("stop": ["a", "b", "c", "d", "e"])", "stop", "at most 4");
  expect_refused(R"("stop": [1])", "stop");
  expect_refused(R"("stop": "")", "", "stop");
  expect_refused(R"("stream_options": {"include_usage": true})", "stream_options", "'stream'");
  expect_refused(R"("stream": true, "stream_options": 1)", "stream_options");
  expect_refused(R"("top_logprobs": 3)", "top_logprobs", "'logprobs'");
  expect_refused(R"("logprobs": true, "top_logprobs": 21)", "top_logprobs", "0 to 20");
}

TEST(ChatRequest, RefusesWhatWouldChangeTheAnswerAndIsNotSupported) {
  expect_refused(R"("tools": [{"type": "function"}])", "tools");
  expect_refused(R"("response_format": {"type": "json_object"})", "response_format");
  expect_refused(R"("logit_bias": {"5": 1})", "logit_bias");
  EXPECT_EQ(refusal_of([] { chat(R"("tools": [], "logit_bias": {}, "response_format": {"type": "text"})"); }), "taken");
}

TEST(ChatRequest, RefusesKeysOfOtherServersThatWouldChangeTheAnswer) {
  struct Case {
    const char *key, *refused, *taken;
  };
  const Case cases[]{{"ignore_eos", "true", "false"},
                     {"skip_special_tokens", "false", "true"},
                     {"include_stop_str_in_output", "true", "false"},
                     {"guided_json", R"({"type": "object"})", "{}"},
                     {"guided_regex", R"("[ab]")", "null"},
                     {"guided_choice", R"(["a", "b"])", "[]"},
                     {"guided_grammar", R"("root")", "null"},
                     {"structured_outputs", R"({"choice": ["a"]})", "null"},
                     {"allowed_token_ids", "[1]", "[]"},
                     {"num_beams", "2", "1"},
                     {"use_beam_search", "true", "false"},
                     {"length_penalty", "0.5", "1.0"},
                     {"add_generation_prompt", "false", "true"},
                     {"continue_final_message", "true", "false"},
                     {"chat_template", R"("{{ messages }}")", "null"},
                     {"truncate_prompt_tokens", "5", "null"},
                     {"echo", "true", "false"}};
  for (const auto& [key, refused, taken] : cases) {
    expect_refused(concat("\"", key, "\": ", refused), key);
    EXPECT_EQ(refusal_of([&] { chat(concat("\"", key, "\": ", taken)); }), "taken") << key;
    EXPECT_EQ(refusal_of([&] { chat(concat("\"", key, "\": null")); }), "taken") << key;
  }
  EXPECT_EQ(refusal_of([] { chat(R"("do_sample": true, "temperature": 0.5)"); }), "taken");
  expect_refused(R"("do_sample": false, "temperature": 0.5)", "do_sample", "temperature");
  expect_refused(R"("do_sample": true, "temperature": 0)", "do_sample", "temperature");
  EXPECT_TRUE(chat(R"("do_sample": true)").decoding.sample) << "the server's own is greedy";
  EXPECT_EQ(refusal_of([] { chat(R"("chat_template": "")"); }), "taken") << "it asks for nothing";
}

TEST(ChatRequest, TakesKeysOfOtherServers) {
  auto rules = rules_of_test();
  rules.vocab_size = 320;
  rules.defaults.num_beams = 4;
  rules.defaults.stop_tokens = {7};
  std::vector<std::string> ignored;
  rules.ignore = [&](const std::string& key) { ignored.push_back(key); };
  const auto decoding = read_chat_request(chat_body(R"("min_tokens": 3, "stop_token_ids": [5, 299], "num_beams": 1,
      "no_repeat_ngram_size": 2, "bad_words": ["red"])"),
                                          rules)
                            .decoding;
  EXPECT_EQ(decoding.min_new_tokens, 3);
  EXPECT_EQ(decoding.stop_tokens, (std::vector<int64_t>{7, 5, 299})) << "the model's own stay";
  EXPECT_EQ(decoding.no_repeat_ngram_size, 2);
  EXPECT_EQ(decoding.num_beams, 1);
  const auto tokens_of = [](const std::string& text) {
    const auto tokens = tokenizer_of_requests().encode(text);
    return std::vector<int64_t>(tokens.begin(), tokens.end());
  };
  EXPECT_EQ(decoding.bad_words_ids, (std::vector<std::vector<int64_t>>{tokens_of("red"), tokens_of(" red")}));
  EXPECT_EQ(ignored, std::vector<std::string>());
}

TEST(ChatRequest, TakesWholeNumbersHoweverTheyAreWritten) {
  const auto request = chat(R"("max_tokens": 5.0, "seed": 1.0, "n": 2e0, "top_k": -1.0, "stop_token_ids": [4.0],
      "logprobs": true, "top_logprobs": 0.0, "temperature": 1.0)");
  EXPECT_EQ(request.decoding.max_new_tokens, 5);
  EXPECT_EQ(request.decoding.seed, 1U);
  EXPECT_EQ(request.num_answers, 2);
  EXPECT_EQ(request.decoding.top_k, 0);
  EXPECT_EQ(request.decoding.stop_tokens, std::vector<int64_t>{4});
  EXPECT_EQ(request.decoding.top_logprobs, 0);
  EXPECT_EQ(request.decoding.temperature, 1);
  EXPECT_EQ(completion(R"("prompt": [1.0, 2])").prompts, (std::vector<PlainPrompt>{std::vector<int32_t>{1, 2}}));
  expect_refused(R"("max_tokens": 5.5)", "max_tokens", "an integer");
  expect_refused(R"("seed": 1e300)", "seed", "an integer");
}

TEST(ChatRequest, MayAskForTheLikeliestTokensByATopPOfZero) {
  EXPECT_EQ(chat(R"("top_p": 0)").decoding.top_p, 0);
  EXPECT_EQ(chat(R"("top_p": 0, "temperature": 0)").decoding.top_p, 0);
  EXPECT_EQ(chat(R"("top_p": 0.0, "temperature": 0.7)").decoding.top_p, 0);
}

TEST(ChatRequest, RefusesWhatIsNoRequest) {
  const auto refusal = [](const std::string& body) {
    return refusal_of([&] { read_chat_request(body, rules_of_test()); });
  };
  for (const char* body : {"", "{", "[]", "null", "{\"model\": \"m\"} x", "{\"model\": \"m\", \"model\": \"m\"}",
                           "{\"model\": \"\xff\"}", "{\"model\": \"\\ud800\"}"})
    EXPECT_TRUE(refusal(body).starts_with("400 : ")) << body << ": " << refusal(body);
  EXPECT_TRUE(refusal(std::string(100'000, '[')).starts_with("400 : "));
  EXPECT_TRUE(refusal("{}").starts_with("400 model: "));
  EXPECT_TRUE(refusal(R"({"model": "other", "messages": []})").starts_with("404 model: "));
  EXPECT_TRUE(refusal(R"({"model": "m"})").starts_with("400 messages: "));
}

TEST(CompletionRequest, TakesTextsAndTokens) {
  EXPECT_EQ(completion(R"("prompt": "a <|im_end|>")").prompts, (std::vector<PlainPrompt>{"a <|im_end|>"}));
  EXPECT_EQ(completion(R"("prompt": ["a", "b"], "n": 4)").prompts, (std::vector<PlainPrompt>{"a", "b"}));
  EXPECT_EQ(completion(R"("prompt": [1, 299])").prompts, (std::vector<PlainPrompt>{std::vector<int32_t>{1, 299}}));
  EXPECT_EQ(completion(R"("prompt": [[1], [2]])").prompts,
            (std::vector<PlainPrompt>{std::vector<int32_t>{1}, std::vector<int32_t>{2}}));
  EXPECT_EQ(completion(R"("prompt": "a", "logprobs": 3, "echo": false, "best_of": 1)").decoding.top_logprobs, 3);
}

TEST(CompletionRequest, RefusesMoreTokensThanTheContextBeforeItCopiesThem) {
  auto rules = rules_of_test();
  rules.context = 3;
  const auto refusal = [&](const std::string& prompt) {
    return refusal_of([&] { read_completion_request(R"({"model": "m", "prompt": )" + prompt + "}", rules); });
  };
  EXPECT_EQ(refusal("[1, 2]"), "taken");
  for (const char* prompt : {"[1, 2, 3]", "[1, 2, \"not looked at\"]", "[[1], [1, 2, 3]]"})
    EXPECT_EQ(refusal(prompt), "400 prompt: the prompt has 3 tokens, expected fewer than the model's context of 3");
}

TEST(CompletionRequest, HasNoOldestTurnsToLose) {
  auto rules = rules_of_test();
  std::vector<std::string> ignored;
  rules.ignore = [&](const std::string& key) { ignored.push_back(key); };
  const auto request = read_completion_request(R"({"model": "m", "prompt": "a", "truncate_prompt": true})", rules);
  EXPECT_FALSE(request.truncates_prompt);
  EXPECT_EQ(ignored, std::vector<std::string>{"truncate_prompt"});
  EXPECT_TRUE(chat(R"("truncate_prompt": true)").truncates_prompt);
}

TEST(CompletionRequest, RefusesWhatItCannotContinue) {
  const auto refusal = [](const std::string& more) { return refusal_of([&] { completion(more); }); };
  for (const char* prompt : {"1", "[]", "{}", "[300]", "[-1]", "[1.5]", "[\"a\", 1]", "[1, \"a\"]", "null"}) {
    const auto given = refusal(concat("\"prompt\": ", prompt));
    EXPECT_TRUE(given.starts_with("400 prompt: ")) << given;
  }
  EXPECT_TRUE(refusal(R"("prompt": ["a", "b", "c"], "n": 3)").starts_with("400 prompt: "));
  EXPECT_TRUE(refusal(R"("prompt": "a", "echo": true)").starts_with("400 echo: "));
  EXPECT_TRUE(refusal(R"("prompt": "a", "suffix": "b")").starts_with("400 suffix: "));
  EXPECT_TRUE(refusal(R"("prompt": "a", "best_of": 2)").starts_with("400 best_of: "));
}

}  // namespace
}  // namespace vlsi
