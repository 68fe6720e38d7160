// A served model: its answers, and what clients can do to it.
#include "serve/chat_server.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <thread>

#include "base/base64.h"
#include "serve/app.h"
#include "serve/chat_page.h"
#include "serve/openai/error.h"
#include "teacher/teacher.h"
#include "tests/serve/tiny_speaker.h"

namespace vlsi {
namespace {

using namespace std::chrono_literals;

class ServedModel : public testing::Test {
 protected:
  ServedModel() { start({}); }

  void start(ChatServerConfig config) {
    server_.reset();
    config.model = "tiny";
    config.defaults = tiny_.speaker.greedy;
    config.defaults.max_new_tokens = 6;
    server_ = std::make_unique<ChatServer>(tiny_.speaker, config);
  }

  HttpResponse send(const std::string& method, const std::string& path, HttpRequest request = {}) {
    for (const auto& page : server_->pages()) {
      if (page.method == method && page.path == path) return page.handler(std::move(request));
    }
    return {.status = 404};
  }

  static HttpRequest with_body(const Json& body) {
    HttpRequest request;
    request.body = body.dump();
    request.peer = "10.0.0.1";
    return request;
  }
  static Json question(const std::string& text = "what color?", const Json& more = Json::object()) {
    Json body{{"model", "tiny"}, {"messages", {{{"role", "user"}, {"content", text}}}}};
    body.update(more);
    return body;
  }
  HttpResponse ask(const Json& body) { return send("POST", "/v1/chat/completions", with_body(body)); }

  /// The whole answer to a question that asks for pieces.
  static std::string pieces_of(const HttpResponse& response) {
    std::string text;
    response.stream([&](std::string_view piece) {
      text += piece;
      return true;
    });
    return text;
  }

  int64_t metric(const std::string& name) {
    const auto text = send("GET", "/metrics").body;
    const auto at = text.find("\n" + name + " ");
    return at == text.npos ? -1 : std::stoll(text.substr(at + name.size() + 2));
  }
  void wait_for(const std::string& name, int64_t value) {
    for (int i = 0; i < 2000 && metric(name) != value; ++i) std::this_thread::sleep_for(5ms);
    EXPECT_EQ(metric(name), value) << name;
  }

  /// A question whose answer takes longer than any test, as there is no stop token.
  static Json endless() { return question("what color?", {{"max_tokens", 1'000'000}}); }

  TinySpeaker tiny_;
  std::unique_ptr<ChatServer> server_;
};

TEST_F(ServedModel, AnswersAsTheEngineDoes) {
  const auto response = ask(question());
  ASSERT_EQ(response.status, 200) << response.body;
  const auto answer = Json::parse(response.body);
  Engine engine(*tiny_.speaker.model, tiny_.speaker.processor->tokenizer(), nullptr);
  auto decoding = tiny_.speaker.greedy;
  decoding.max_new_tokens = 6;
  const auto expected = generate(
      engine,
      tiny_.speaker.processor->encode_prompt({"", "", {{Role::kUser, {{Content::Kind::kText, "what color?", {}}}}}}),
      decoding);
  EXPECT_EQ(answer["choices"][0]["message"]["content"], expected.text);
  EXPECT_EQ(answer["choices"][0]["finish_reason"], "length");
  EXPECT_EQ(answer["usage"]["completion_tokens"], 6);
  EXPECT_EQ(answer["usage"]["prompt_tokens"], expected.num_prompt_tokens);
  EXPECT_EQ(metric("vlsi_requests_total{status=\"200\"}"), 1);
  EXPECT_EQ(metric("vlsi_answer_tokens_total"), 6);
  EXPECT_EQ(metric("vlsi_answers_cut_total"), 1);
}

TEST_F(ServedModel, CountsWhatItDrafts) {
  const auto plain = Json::parse(ask(question()).body)["choices"];
  EXPECT_EQ(metric("vlsi_drafted_tokens_total"), 0);
  ChatServerConfig config;
  config.engine.draft = {1, 3, [&](const at::Tensor& rows) { return at::linear(rows, tiny_.speaker.model->head()); }};
  start(config);
  EXPECT_EQ(Json::parse(ask(question()).body)["choices"], plain);
  const auto passes = metric("vlsi_decoding_passes_total"), accepted = metric("vlsi_accepted_tokens_total");
  EXPECT_EQ(passes + accepted, 5) << "the prompt gives the first of six tokens";
  EXPECT_GT(metric("vlsi_drafted_tokens_total"), 0);
}

TEST_F(ServedModel, StreamsTheSameText) {
  const auto whole = Json::parse(ask(question()).body);
  const auto response = ask(question("what color?", {{"stream", true}, {"stream_options", {{"include_usage", true}}}}));
  EXPECT_EQ(response.content_type, "text/event-stream");
  const auto events = pieces_of(response);
  EXPECT_TRUE(events.ends_with("data: [DONE]\n\n")) << events;
  std::string text, reason;
  Json usage;
  for (size_t begin = 0, end; (end = events.find("\n\n", begin)) != events.npos; begin = end + 2) {
    const auto data = events.substr(begin + 6, end - begin - 6);
    if (data == "[DONE]") break;
    const auto piece = Json::parse(data);
    if (!piece["usage"].is_null()) usage = piece["usage"];
    if (piece["choices"].empty()) continue;
    text += piece["choices"][0]["delta"].value("content", "");
    if (piece["choices"][0]["finish_reason"].is_string()) reason = piece["choices"][0]["finish_reason"];
  }
  EXPECT_EQ(text, whole["choices"][0]["message"]["content"].get<std::string>());
  EXPECT_EQ(reason, "length");
  EXPECT_EQ(usage["completion_tokens"], 6);
}

TEST_F(ServedModel, StreamsLogprobsWithTheTokensTexts) {
  Json more{{"logprobs", true}, {"top_logprobs", 1}};
  const auto whole = Json::parse(ask(question("what color?", more)).body)["choices"][0]["logprobs"]["content"];
  more["stream"] = true;
  const auto events = pieces_of(ask(question("what color?", more)));
  auto streamed = Json::array();
  size_t num_with = 0;
  for (size_t begin = 0, end; (end = events.find("\n\n", begin)) != events.npos; begin = end + 2) {
    const auto data = events.substr(begin + 6, end - begin - 6);
    if (data == "[DONE]") break;
    const auto logprobs = Json::parse(data)["choices"][0]["logprobs"];
    if (logprobs.is_null()) continue;  // the beginning
    num_with += logprobs["content"].empty() ? 0 : 1;
    for (const auto& token : logprobs["content"]) streamed.push_back(token);
  }
  EXPECT_EQ(streamed, whole);
  EXPECT_GT(num_with, 1U) << events;
}

TEST_F(ServedModel, GivesSeveralAnswersThatDifferByTheirDraws) {
  const Json sampled{{"n", 8}, {"temperature", 1.5}, {"seed", 5}, {"logprobs", true}, {"top_logprobs", 2}};
  const auto answer = Json::parse(ask(question("what color?", sampled)).body);
  ASSERT_EQ(answer["choices"].size(), 8U);
  std::set<std::string> texts;
  for (const auto& choice : answer["choices"]) {
    texts.insert(choice["message"]["content"]);
    EXPECT_EQ(choice["logprobs"]["content"].size(), 6U);
    EXPECT_EQ(choice["logprobs"]["content"][0]["top_logprobs"].size(), 2U);
  }
  EXPECT_GT(texts.size(), 1U);
  const auto again = Json::parse(ask(question("what color?", sampled)).body);
  for (int i = 0; i < 8; ++i)
    EXPECT_EQ(again["choices"][i]["message"], answer["choices"][i]["message"]) << "the same seed";
}

TEST_F(ServedModel, HasEmptyLogprobsOfAnAnswerWithoutTokens) {
  Engine engine(*tiny_.speaker.model, tiny_.speaker.processor->tokenizer(), nullptr);
  const auto prompt =
      tiny_.speaker.processor->encode_prompt({"", "", {{Role::kUser, {{Content::Kind::kText, "what color?", {}}}}}});
  const auto first = generate(engine, prompt, tiny_.speaker.greedy).tokens.at(0);
  const Json more{{"logprobs", true}, {"stop_token_ids", Json::array({first})}};
  const auto choice = Json::parse(ask(question("what color?", more)).body)["choices"][0];
  EXPECT_EQ(choice["message"]["content"], "");
  EXPECT_EQ(choice["finish_reason"], "stop");
  EXPECT_EQ(choice["logprobs"], (Json{{"content", Json::array()}, {"refusal", nullptr}}));
}

TEST_F(ServedModel, RefusesAPictureTokenWithoutAPicture) {
  const Json prompts{"<|image_pad|>", Json::array({1, tiny_.speaker.model->config().image_token_id})};
  for (const auto& prompt : prompts) {
    const Json body{{"model", "tiny"}, {"prompt", prompt}};
    const auto response = send("POST", "/v1/completions", with_body(body));
    EXPECT_EQ(response.status, 400);
    EXPECT_EQ(Json::parse(response.body)["error"]["param"], "prompt");
  }
}

TEST_F(ServedModel, CompletesPlainTexts) {
  const Json body{{"model", "tiny"}, {"prompt", {"what", "color"}}, {"max_tokens", 3}, {"logprobs", 1}};
  const auto answer = Json::parse(send("POST", "/v1/completions", with_body(body)).body);
  ASSERT_EQ(answer["choices"].size(), 2U) << answer;
  EXPECT_EQ(answer["choices"][1]["logprobs"]["tokens"].size(), 3U);
  EXPECT_EQ(answer["usage"]["completion_tokens"], 6);
}

TEST_F(ServedModel, LooksAtPicturesAndRefusesBrokenOnes) {
  const auto picture = [](const std::string& bytes) {
    return Json{{"type", "image_url"}, {"image_url", {{"url", "data:image/png;base64," + base64(bytes)}}}};
  };
  const auto asked = [&](const std::string& bytes) {
    return ask({{"model", "tiny"},
                {"messages", {{{"role", "user"}, {"content", {picture(bytes), {{"type", "text"}, {"text", "?"}}}}}}}});
  };
  const auto png = content_of(std::filesystem::path(VLSI_TEST_DATA) / "images/rgb_8.png");
  const auto response = asked(png);
  ASSERT_EQ(response.status, 200) << response.body;
  EXPECT_GT(metric("vlsi_picture_tokens_total"), 0);
  auto huge = png;  // a header that promises 30,000 x 30,000
  for (const size_t at : {16, 20}) huge.replace(at, 4, std::string("\x00\x00\x75\x30", 4));
  for (const auto& bad : {huge, png.substr(0, png.size() / 2), std::string("text"), png.substr(0, 8)}) {
    const auto refused = asked(bad);
    EXPECT_EQ(refused.status, 400) << refused.body;
    EXPECT_EQ(Json::parse(refused.body)["error"]["type"], "invalid_request_error");
  }
}

TEST_F(ServedModel, RefusesInOpenAisForm) {
  const auto unknown = ask(question("a", {{"model", "other"}}));
  EXPECT_EQ(unknown.status, 404);
  EXPECT_EQ(Json::parse(unknown.body)["error"]["code"], "model_not_found");
  HttpRequest cut;
  cut.body = R"({"model": "ti)";
  const auto broken = send("POST", "/v1/chat/completions", cut);
  EXPECT_EQ(broken.status, 400);
  EXPECT_TRUE(Json::parse(broken.body)["error"]["param"].is_null());
  std::string words;
  for (int i = 0; i < 3000; ++i) words += "color ";
  const auto longer = ask(question(words));
  EXPECT_EQ(longer.status, 400);
  EXPECT_EQ(Json::parse(longer.body)["error"]["code"], "context_length_exceeded");
}

TEST_F(ServedModel, ReadsLayersWithinTheContextOnly) {
  tiny_.speaker.verbalizers = Verbalizers::of(*tiny_.speaker.model, {}, {1, 2}, 5);
  ChatPage page(tiny_.speaker, "tiny", /*needs_key=*/false);
  const auto read = [&](const std::string& answer) {
    return page.pages().back().handler(with_body(question("what color?", {{"answer", answer}})));
  };
  const auto response = read("red");
  EXPECT_EQ(response.status, 200) << response.body;
  std::string words;
  for (int i = 0; i < 3000; ++i) words += "color ";
  const auto refused = read(words);
  EXPECT_EQ(refused.status, 400);
  EXPECT_NE(refused.body.find("the model's context of 2048"), std::string::npos) << refused.body;
}

TEST_F(ServedModel, SaysWhatItServes) {
  EXPECT_EQ(Json::parse(send("GET", "/v1/models").body)["data"][0]["id"], "tiny");
  EXPECT_EQ(Json::parse(send("GET", "/v1/models/tiny").body)["max_model_len"], 2048);
  EXPECT_EQ(send("GET", "/health").status, 200);
}

TEST_F(ServedModel, StopsWhenItsClientGoesAway) {
  std::atomic<bool> is_there = true;
  auto request = with_body(endless());
  request.is_waited_for = [&] { return is_there.load(); };
  std::thread leaver([&] {
    wait_for("vlsi_answers_running", 1);
    is_there = false;
  });
  EXPECT_EQ(send("POST", "/v1/chat/completions", request).status, 499);
  leaver.join();
  wait_for("vlsi_answers_running", 0);
  EXPECT_EQ(metric("vlsi_clients_gone_total"), 1);
  const auto stream = ask(question("what color?", {{"max_tokens", 1'000'000}, {"stream", true}}));
  int num_pieces = 0;
  stream.stream([&](std::string_view) { return ++num_pieces < 3; });
  wait_for("vlsi_clients_gone_total", 2);
  EXPECT_EQ(ask(question()).status, 200);
}

TEST_F(ServedModel, BoundsWhatWaits) {
  ChatServerConfig config;
  config.waiting.count = 1;
  config.engine.max_sequences = 1;
  start(config);
  std::atomic<bool> is_there = true;
  const auto endless_request = [&] {
    auto request = with_body(endless());
    request.is_waited_for = [&] { return is_there.load(); };
    return request;
  };
  std::thread first([&] { send("POST", "/v1/chat/completions", endless_request()); });
  wait_for("vlsi_answers_running", 1);
  std::thread second([&] { send("POST", "/v1/chat/completions", endless_request()); });
  wait_for("vlsi_answers_waiting", 1);
  const auto refused = ask(question());
  EXPECT_EQ(refused.status, 429) << refused.body;
  EXPECT_TRUE(refused.headers.contains("Retry-After"));
  const auto never = ask(question("a", {{"n", 2}}));
  EXPECT_EQ(never.status, 400) << "more than may ever wait";
  EXPECT_EQ(Json::parse(never.body)["error"]["param"], "n");
  is_there = false;
  first.join();
  second.join();
  EXPECT_EQ(metric("vlsi_answers_waiting"), 0) << "those that nobody waits for are forgotten";
  EXPECT_EQ(ask(question()).status, 200);
}

TEST_F(ServedModel, GivesUpARequestThatTakesTooLong) {
  ChatServerConfig config;
  config.timeout = 100ms;
  start(config);
  const auto response = ask(endless());
  EXPECT_EQ(response.status, 503);
  EXPECT_EQ(Json::parse(response.body)["error"]["code"], "timeout");
  wait_for("vlsi_answers_running", 0);
}

TEST_F(ServedModel, FinishesWhatRunsAndRefusesWhatWaitsWhenItStops) {
  ChatServerConfig config;
  config.engine.max_sequences = 1;
  start(config);
  HttpResponse running, waiting;
  std::thread first([&] { running = ask(question("what color?", {{"max_tokens", 1500}})); });
  wait_for("vlsi_answers_running", 1);
  std::thread second([&] { waiting = ask(endless()); });
  wait_for("vlsi_answers_waiting", 1);
  server_->stop_taking();
  EXPECT_EQ(ask(question()).status, 503);
  EXPECT_EQ(send("GET", "/health").status, 503);
  first.join();
  second.join();
  EXPECT_EQ(running.status, 200) << running.body;
  EXPECT_EQ(waiting.status, 503);
  EXPECT_EQ(server_->num_open(), 1) << "an answer counts until it is sent";
  running = {};
  EXPECT_EQ(server_->num_open(), 0);
}

TEST_F(ServedModel, OutlivesLogitsThatAreNoNumbers) {
  const auto& weight = tiny_.speaker.model->final_norm();
  const auto before = weight.clone();
  tiny_.break_weights();
  for (const bool stream : {false, true}) {
    const auto response = ask(question("what color?", {{"stream", stream}}));
    EXPECT_EQ(response.status, 500) << "before anything is sent, also of a stream";
    EXPECT_EQ(Json::parse(response.body)["error"]["type"], "server_error");
  }
  {
    at::NoGradGuard no_grad;
    at::Tensor(weight).copy_(before);
  }
  EXPECT_EQ(ask(question()).status, 200);
}

TEST_F(ServedModel, LetsClientsTakeTurns) {
  ChatServerConfig config;
  config.engine.max_sequences = 1;
  start(config);
  std::vector<std::string> order;
  std::mutex mutex;
  std::vector<std::thread> threads;
  const auto ask_as = [&](const std::string& client, int64_t tokens) {
    threads.emplace_back([&, client, tokens] {
      auto request = with_body(question("what color?", {{"max_tokens", tokens}}));
      request.headers["authorization"] = client;
      send("POST", "/v1/chat/completions", request);
      const std::lock_guard lock(mutex);
      order.push_back(client);
    });
  };
  ask_as("many", 1500);
  wait_for("vlsi_answers_running", 1);
  for (int i = 1; i <= 4; ++i) {
    ask_as("many", 400);
    wait_for("vlsi_answers_waiting", i);
  }
  ask_as("one", 1);
  wait_for("vlsi_answers_waiting", 5);
  for (auto& thread : threads) thread.join();
  const auto place = std::find(order.begin(), order.end(), "one") - order.begin();
  EXPECT_LE(place, 2) << "behind the one that ran, and at most one more";
}

}  // namespace
}  // namespace vlsi
