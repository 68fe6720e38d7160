// What a client makes of a server that errs: it tries again where that helps, a bounded number of times.
#include "eval/judge/endpoint.h"

#include "tests/data/data_files.h"
#include "tests/eval/judge/scripted_server.h"

namespace vlsi {
namespace {

using namespace std::chrono_literals;
using judge_test::completion;
using judge_test::http;
using judge_test::Received;
using judge_test::says;
using judge_test::ScriptedServer;

EndpointConfig of(const std::string& url) {
  EndpointConfig config{url};
  config.first_wait = 1ms;
  config.longest_wait = 20ms;
  return config;
}

EndpointReply post(const ScriptedServer& server) { return ChatEndpoint(of(server.url())).post("{}"); }

TEST(ChatEndpoint, TriesAgainUntilThereIsAReply) {
  const auto whole = completion("0.5");
  const auto cut = http(200, whole.substr(0, whole.size() / 2));
  // Half of what its head announces.
  const auto broken = concat("HTTP/1.1 200 x\r\nContent-Length: 1000\r\n\r\n", whole);
  const ScriptedServer server({http(429, R"({"error": {"message": "slow down"}})", "Retry-After: 0\r\n"),
                               http(500, "boom"), http(503, ""), cut, broken});
  const ScriptedServer silent({""});
  EXPECT_EQ(post(silent).trouble, concat("the connection to ", silent.url(), " broke, or was silent for too long"));

  const auto failed = ChatEndpoint([&] {
                        auto config = of(server.url());
                        config.num_tries = 5;
                        return config;
                      }())
                          .post("{}");
  EXPECT_EQ(failed.text, std::nullopt);
  EXPECT_EQ(server.num_received(), 5);

  const ScriptedServer better({http(429, ""), http(500, "boom"), cut, broken, "", says("0.5")});
  EXPECT_EQ(post(better).text, "0.5");
  EXPECT_EQ(better.num_received(), 6);
}

TEST(ChatEndpoint, RefusesAnAddressWithoutAPort) {
  for (const char* port : {"", "abc", "0", "99999", "999999999999", "80x"}) {
    EXPECT_ERROR(ChatEndpoint(of(concat("http://127.0.0.1:", port, "/v1"))),
                 concat("with port '", port, "', expected one of 1 to 65535"));
  }
  for (const char* url : {"http://[::1]/v1", "http://[::1]:80/v1", "https://host", "https://host:65535"}) {
    EXPECT_NO_THROW(ChatEndpoint(of(url))) << url;
  }
}

TEST(ChatEndpoint, SaysWhyThereIsNoReply) {
  const ScriptedServer server({http(500, R"({"error": {"message": "out of\nmemory"}})")});
  const auto reply = post(server);
  EXPECT_EQ(reply.text, std::nullopt);
  EXPECT_FALSE(reply.refused);
  EXPECT_EQ(reply.trouble, "status 500: out of");
  EXPECT_EQ(server.num_received(), EndpointConfig{""}.num_tries);
}

TEST(ChatEndpoint, AsksARefusedRequestOnce) {
  const ScriptedServer server({http(400, R"({"error": {"message": "content filter"}})")});
  const auto reply = post(server);
  EXPECT_TRUE(reply.refused);
  EXPECT_EQ(reply.trouble, "status 400: content filter");
  EXPECT_EQ(server.num_received(), 1);
}

TEST(ChatEndpoint, StopsAtAWrongKeyOrAddress) {
  for (const int status : {401, 403, 404, 301}) {
    const ScriptedServer server({http(status, R"({"error": "no such key"})")});
    EXPECT_ERROR(post(server), concat("/v1/chat/completions: status ", status, ": no such key"));
    EXPECT_EQ(server.num_received(), 1);
  }
  for (const char* url : {"localhost:1", "ftp://x/v1", "http://", "https:///v1", ""}) {
    EXPECT_ERROR(ChatEndpoint({url}), "expected http://HOST/v1 or https://HOST/v1");
  }
}

TEST(ChatEndpoint, GivesUpASlowTry) {
  const ScriptedServer server([](const Received&, size_t number) {
    if (number == 0) std::this_thread::sleep_for(1s);
    return says("late");
  });
  auto config = of(server.url());
  config.timeout = 200ms;
  EXPECT_EQ(ChatEndpoint(config).post("{}").text, "late");
  EXPECT_EQ(server.num_received(), 2);
}

TEST(ChatEndpoint, WaitsAsTheServerAsks) {
  const auto now = std::chrono::system_clock::from_time_t(1'000'000'000);  // Sun, 09 Sep 2001 01:46:40 GMT
  EXPECT_EQ(retry_after("2", now), 2000ms);
  EXPECT_EQ(retry_after("0.25", now), 250ms);
  EXPECT_EQ(retry_after("-3", now), 0ms);
  EXPECT_EQ(retry_after("Sun, 09 Sep 2001 01:47:10 GMT", now), 30'000ms);
  EXPECT_EQ(retry_after("Sun, 09 Sep 2001 01:00:00 GMT", now), 0ms);
  for (const char* other : {"", "soon", "5 minutes", "nan"}) EXPECT_EQ(retry_after(other, now), std::nullopt) << other;

  const ScriptedServer server({http(429, "", "Retry-After: 0.15\r\n"), says("x")});
  const auto begin = std::chrono::steady_clock::now();
  EXPECT_EQ(post(server).text, "x");
  EXPECT_GE(std::chrono::steady_clock::now() - begin, 150ms);  // its own first wait is 1 ms
}

TEST(ChatEndpoint, SendsTheKeyAndTheBodyToTheCompletions) {
  const ScriptedServer server({says("x")});
  for (const char* path : {"/v1", "/v1/", "/v1/chat/completions"}) {
    auto config = of(server.url(path));
    config.key = "secret";
    ChatEndpoint(config).post(R"({"model": "m"})");
  }
  ASSERT_EQ(server.num_received(), 3);
  for (const auto& [head, body] : server.received()) {
    EXPECT_TRUE(head.starts_with("POST /v1/chat/completions HTTP/1.1\r\n")) << head;
    EXPECT_NE(head.find("Authorization: Bearer secret"), head.npos) << head;
    EXPECT_EQ(body, R"({"model": "m"})");
  }
}

TEST(ChatEndpoint, TakesAMissingTextForAnEmptyOneAndOtherFormsForBroken) {
  const ScriptedServer null({http(200, R"({"choices": [{"message": {"content": null}}]})")});
  EXPECT_EQ(post(null).text, "");
  for (const char* body : {"{}", "[]", R"({"choices": []})", R"({"choices": [{"message": {"content": 3}}]})", "x"}) {
    const ScriptedServer server({http(200, body), says("then")});
    EXPECT_EQ(post(server).text, "then") << body;
  }
}

TEST(ChatEndpoint, OfNobodyHasNoReply) {
  std::string url;
  {
    const ScriptedServer server({says("x")});
    url = server.url();
  }
  const auto reply = ChatEndpoint(of(url)).post("{}");
  EXPECT_EQ(reply.text, std::nullopt);
  EXPECT_EQ(reply.trouble, "cannot connect to " + url);
}

}  // namespace
}  // namespace vlsi
