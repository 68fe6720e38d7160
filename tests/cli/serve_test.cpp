// The served model as its users start and reach it.
#include <gtest/gtest.h>
#include <sys/stat.h>

#include "tests/cli/program.h"
#include "tests/serve/http_client.h"

namespace vlsi::cli_test {
namespace {

/// A started server; it is told to end when the object goes.
class Server {
 public:
  explicit Server(const Arguments& more = {}, const Surroundings& surroundings = {},
                  const fs::path& directory = model("student"))
      : out_(folder_ / "out"),
        program_(with({"serve", "--model", directory, "--port", "0"}, more), with_out(surroundings)) {
    program_.wait_until([&] { return content_of(out_).find('\n') != std::string::npos; });
    const auto address = content_of(out_);
    const auto colon = address.rfind(':');
    port_ = colon == address.npos ? 0 : std::stoi(address.substr(colon + 1));
  }

  int port() const { return port_; }
  void interrupt() const { program_.signal(SIGINT); }
  Result wait() { return program_.wait(); }
  Result end() {
    interrupt();
    return wait();
  }
  std::string get(const std::string& path, const std::string& headers = "") const {
    const Client client(port_);
    client.send("GET " + path + " HTTP/1.1\r\nHost: localhost\r\n" + headers + "\r\n");
    return client.read();
  }

 private:
  Surroundings with_out(Surroundings surroundings) const {
    surroundings.out_file = out_;
    return surroundings;
  }

  Folder folder_;
  const std::string out_;
  Program program_;
  int port_ = 0;
};

const std::string kQuestion =
    R"({"model": "student", "messages": [{"role": "user", "content": "what?"}], "max_tokens": 3})";

Json body_of(const std::string& reply) { return Json::parse(reply.substr(reply.find("\r\n\r\n") + 4)); }

TEST(Serve, AnswersAsGenerateDoes) {
  Server server;
  const auto answer = body_of(http_post(server.port(), "/v1/chat/completions", kQuestion));
  const auto generated =
      vlsi_program({"generate", "--model", model("student"), "--prompt", "what?", "--max-new-tokens", "3", "--json"});
  EXPECT_EQ(answer["choices"][0]["message"]["content"], Json::parse(generated.out)["text"]) << generated.err;
  EXPECT_NE(server.get("/").find("<title>vlsi serve</title>"), std::string::npos);
  EXPECT_NE(server.get("/metrics").find("vlsi_answers_total 1\n"), std::string::npos);
  EXPECT_TRUE(server.get("/nothing").ends_with("\"code\":null}}\n"));
  const auto result = server.end();
  EXPECT_EQ(result.status, 0) << result.err;
  EXPECT_NE(result.err.find("answered 127.0.0.1: 0 pictures of 0 tokens, prompt "), std::string::npos) << result.err;
}

TEST(Serve, HoldsHostileRequestsOffAndGoesOn) {
  Server server({"--max-body", "1KiB"});
  EXPECT_TRUE(http_post(server.port(), "/v1/chat/completions", std::string(2000, 'x')).starts_with("HTTP/1.1 413 "));
  EXPECT_TRUE(http_post(server.port(), "/v1/chat/completions", "{").starts_with("HTTP/1.1 400 "));
  EXPECT_TRUE(http_post(server.port(), "/v1/chat/completions", kQuestion, "X: " + std::string(50'000, 'x') + "\r\n")
                  .starts_with("HTTP/1.1 431 "));
  {
    const Client cut(server.port());
    cut.send("POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\n{\"model\"");
  }
  EXPECT_TRUE(http_post(server.port(), "/v1/chat/completions", kQuestion).starts_with("HTTP/1.1 200 "));
}

TEST(Serve, SendsTheWholeAnswerAlthoughItIsToldToEnd) {
  Server server({"--name", "m"}, {}, endless_model());
  const std::string body = R"({"model": "m", "messages": [{"role": "user", "content": "what?"}], "max_tokens": 500,)"
                           R"( "n": 8, "temperature": 0, "logprobs": true, "top_logprobs": 20})";
  const Client client(server.port());
  client.send("POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Length: " +
              std::to_string(body.size()) + "\r\n\r\n" + body);
  std::string reply;
  for (int i = 0; i < 12 && reply.empty(); ++i) reply = client.read("\r\n\r\n");
  ASSERT_TRUE(reply.starts_with("HTTP/1.1 200 ")) << reply.substr(0, 500);
  server.interrupt();
  while (server.get("/health").starts_with("HTTP/1.1 200 ")) continue;  // until it knows
  reply += client.read();
  const auto length = reply.find("Content-Length: "), end = reply.find("\r\n\r\n");
  ASSERT_TRUE(length < end && end != reply.npos) << reply.substr(0, 500);
  EXPECT_EQ(reply.size() - end - 4, std::stoul(reply.substr(length + 16)));
  EXPECT_EQ(Json::parse(reply.substr(end + 4))["choices"].size(), 8U);
  EXPECT_EQ(server.wait().status, 0);
}

TEST(Serve, WantsAKeyWhereOthersCanReachIt) {
  expect_refusal(vlsi_program({"serve", "--model", model("student"), "--host", "0.0.0.0"}),
                 {"0.0.0.0", "--api-key-file"});
  const Folder folder({{"keys", "alpha\r\n\nbeta\n"}, {"empty", "\n"}});
  expect_refusal(vlsi_program({"serve", "--model", model("student"), "--api-key-file", folder / "empty"}),
                 {"found none"});
  expect_refusal(vlsi_program({"serve", "--model", model("student"), "--api-key-file", folder / "none"}),
                 {"cannot be read"});
  Server server({"--host", "0.0.0.0", "--api-key-file", folder / "keys"}, {.environment = {{"VLSI_API_KEY", "gamma"}}});
  EXPECT_TRUE(server.get("/v1/models").starts_with("HTTP/1.1 401 "));
  for (const char* key : {"alpha", "beta", "gamma"})
    EXPECT_TRUE(server.get("/v1/models", concat("Authorization: Bearer ", key, "\r\n")).starts_with("HTTP/1.1 200 "))
        << key;
  EXPECT_TRUE(server.get("/").starts_with("HTTP/1.1 200 ")) << "the page asks for the key itself";
}

TEST(Serve, RefusesWhatItCannotServe) {
  Server server;
  expect_refusal(vlsi_program({"serve", "--model", model("student"), "--port", std::to_string(server.port())}),
                 {"port " + std::to_string(server.port()), "already in use"});
  expect_refusal(vlsi_program({"serve", "--model", model("student"), "--port", "0", "--media", "/no/folder"}),
                 {"--media"});
  expect_refusal(vlsi_program({"serve", "--model", model("student"), "--port", "0", "--max-body", "few"}),
                 {"--max-body"});
  for (const auto& [option, value] : {std::pair("--max-body", "1eb"), std::pair("--timeout", "10000000000"),
                                      std::pair("--shutdown-timeout", "10000000000")})
    expect_refusal(vlsi_program({"serve", "--model", model("student"), "--port", "0", option, value}), {option});
  expect_refusal(
      vlsi_program({"serve", "--model", model("student"), "--port", "0", "--num-beams", "64", "--max-sequences", "8"}),
      {"--num-beams is 64, expected at most --max-sequences, which is 8"});
  expect_refusal(vlsi_program({"serve", "--model", model("student"), "--port", "0", "--head", "x"}), {"--head"});
}

TEST(Serve, TakesTheVerbalizersOfTheModelsDirectory) {
  const Folder folder;
  fs::copy(finished_run() / "run/model", folder / "model", fs::copy_options::recursive);
  fs::copy(finished_run() / "run/student-verbalizers", folder / "model/verbalizers", fs::copy_options::recursive);
  Server server({"--name", "m", "--head", model("student")}, {}, folder / "model");
  const auto page = server.get("/");
  EXPECT_NE(page.find(R"({"model":"m","needs_key":false,"has_layers":true})"), page.npos) << server.end().err;
  const auto reading = body_of(
      http_post(server.port(), "/lens", R"({"messages": [{"role": "user", "content": "what?"}], "answer": "red"})"));
  EXPECT_EQ(reading["lens"], "verbalizers") << reading;
  EXPECT_EQ(reading["answer"]["text"], "red");
  EXPECT_TRUE(http_post(server.port(), "/lens", R"({"messages": []})").starts_with("HTTP/1.1 400 "));
}

}  // namespace
}  // namespace vlsi::cli_test
