// The server beside clients that are right, rude and slow.
#include "serve/app.h"

#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <thread>

#include "base/error.h"
#include "serve/events.h"
#include "tests/serve/http_client.h"

namespace vlsi {
namespace {

using namespace std::chrono_literals;

/// A server in a thread of its own that answers with the path, a POST with its body, and events on /events.
class Serving {
 public:
  explicit Serving(AppConfig config = {}) : app_(config), thread_([this] { run(); }) {}
  ~Serving() {
    is_busy = stop_ = true;
    is_busy.notify_all();
    thread_.join();
  }
  int port() const { return app_.port(); }
  std::string reply(const std::string& text) const {
    const Client client(port());
    client.send(text);
    return client.read();
  }
  std::string get(const std::string& target) const {
    return reply("GET " + target + " HTTP/1.1\r\nHost: localhost\r\n\r\n");
  }

  std::atomic<int> num_handled = 0, num_gone = 0;
  std::atomic<bool> is_busy = false;
  Events events;
  const std::shared_ptr<int> held = std::make_shared<int>();

 private:
  void run() {
    const auto page = [this](const std::string& method, const std::string& path, auto answer) -> HttpPage {
      return {method, path, [this, answer](const HttpRequest& request) -> HttpResponse {
                ++num_handled;
                return answer(request);
              }};
    };
    using Request = const HttpRequest&;
    std::vector<HttpPage> pages{
        page("GET", "/events", [this](Request) { return events.stream(); }),
        page("GET", "/large", [](Request) { return HttpResponse{.body = std::string(8 << 20, 'x')}; }),
        page("GET", "/held",
             [this](Request) { return HttpResponse{.body = std::string(8 << 20, 'x'), .until_sent = held}; }),
        page("GET", "/busy", [this](Request) { return is_busy.wait(false), HttpResponse(); }),
        page("GET", "/broken", [](Request) -> HttpResponse { fail("broken inside"); }),
        page("GET", "/peer", [](Request request) { return HttpResponse{.body = "peer " + request.peer}; }),
        page("GET", "/wait",
             [this](Request request) {
               while (request.is_waited_for()) std::this_thread::sleep_for(1ms);
               ++num_gone;
               return HttpResponse();
             }),
        page("POST", "/echo", [](Request request) { return HttpResponse{.body = "body " + request.body}; }),
        page("GET", "/broken-stream", [](Request) {
          return HttpResponse{.stream = [](const SendPiece& send) { send("begin"), fail("broken inside"); }};
        })};
    for (const char* path : {"/a", "/x y", "/quick"})
      pages.push_back(page("GET", path, [](Request request) { return HttpResponse{.body = "path " + request.path}; }));
    app_.run(pages, 5ms, [this] { return !stop_; });
  }

  std::atomic<bool> stop_ = false;
  App app_;
  std::thread thread_;
};

std::string post(const std::string& headers, const std::string& body = "") {
  return "POST /echo HTTP/1.1\r\nHost: localhost\r\n" + headers + "\r\n" + body;
}

TEST(App, Answers) {
  const Serving serving;
  const auto answer = serving.get("/a?b=c");
  EXPECT_TRUE(answer.starts_with("HTTP/1.1 200 OK\r\n")) << answer;
  EXPECT_NE(answer.find("Content-Length: 7\r\n"), std::string::npos) << answer;
  EXPECT_TRUE(answer.ends_with("\r\n\r\npath /a")) << answer;
}

TEST(App, HoldsWhatAnAnswerNeedsUntilItIsSent) {
  const Serving serving;
  const Client client(serving.port());
  client.send("GET /held HTTP/1.1\r\nHost: localhost\r\n\r\n");
  auto answer = client.read("\r\n\r\n");
  EXPECT_GT(serving.held.use_count(), 1) << "more is left than the system keeps";
  answer += client.read();
  EXPECT_EQ(serving.held.use_count(), 1);
  EXPECT_NE(answer.find("Content-Length: 8388608\r\n"), std::string::npos) << answer.substr(0, 500);
  EXPECT_EQ(answer.size() - answer.find("\r\n\r\n") - 4, 8U << 20);
}

TEST(App, TakesARequestInPieces) {
  const Serving serving;
  const Client client(serving.port());
  for (const char c : std::string("GET /x%20y HTTP/1.1\r\nHost: localhost\r\n\r\n"))
    ASSERT_TRUE(client.send(std::string(1, c)));
  EXPECT_TRUE(client.read().ends_with("path /x y"));
}

TEST(App, TakesABody) {
  const Serving serving;
  const std::string body(100'000, 'b');
  EXPECT_TRUE(serving.reply(post("Content-Length: 100000\r\n", body)).ends_with("\r\n\r\nbody " + body));
  EXPECT_TRUE(serving.reply(post("Content-Length: 0\r\n")).ends_with("\r\n\r\nbody "));
  const Client client(serving.port());
  client.send(post("Content-Length: 3\r\nExpect: 100-continue\r\n"));
  EXPECT_EQ(client.read("\r\n\r\n"), "HTTP/1.1 100 Continue\r\n\r\n");
  client.send("abc");
  EXPECT_TRUE(client.read().ends_with("body abc"));
}

TEST(App, RefusesABodyThatIsTooLargeOrOfUnknownLength) {
  AppConfig config;
  config.max_body_bytes = 10;
  const Serving serving(config);
  EXPECT_TRUE(serving.reply(post("")).starts_with("HTTP/1.1 411 "));
  EXPECT_TRUE(serving.reply(post("Transfer-Encoding: chunked\r\n", "5\r\nhello")).starts_with("HTTP/1.1 411 "));
  EXPECT_TRUE(serving.reply(post("Content-Length: 11\r\n", "hello")).starts_with("HTTP/1.1 413 "));
  EXPECT_TRUE(serving.reply(post("Content-Length: -1\r\n", "hello")).starts_with("HTTP/1.1 413 "));
  EXPECT_TRUE(
      serving.reply(post("Content-Length: 5\r\nContent-Encoding: gzip\r\n", "hello")).starts_with("HTTP/1.1 415 "));
  EXPECT_TRUE(serving.reply(post("Content-Length: 5\r\nContent-Type: multipart/form-data\r\n", "hello"))
                  .starts_with("HTTP/1.1 415 "));
  EXPECT_EQ(serving.num_handled, 0);
}

TEST(App, RefusesBodiesThatTogetherAreTooLarge) {
  AppConfig config;
  config.max_held_body_bytes = 8;
  const Serving serving(config);
  EXPECT_TRUE(serving.reply(post("Content-Length: 9\r\n", "123456789")).starts_with("HTTP/1.1 503 "));
  for (int i = 0; i < 3; ++i)
    EXPECT_TRUE(serving.reply(post("Content-Length: 8\r\n", "12345678")).ends_with("body 12345678")) << i;
}

TEST(App, TellsAPageWhoAsksAndWhetherTheyStillDo) {
  const Serving serving;
  EXPECT_TRUE(serving.get("/peer").ends_with("peer 127.0.0.1"));
  auto client = std::make_unique<Client>(serving.port());
  client->send("GET /wait HTTP/1.1\r\nHost: localhost\r\n\r\n");
  std::this_thread::sleep_for(50ms);
  EXPECT_EQ(serving.num_gone, 0);
  client.reset();
  for (int i = 0; i < 2000 && serving.num_gone == 0; ++i) std::this_thread::sleep_for(1ms);
  EXPECT_EQ(serving.num_gone, 1);
}

TEST(App, RefusesInTheFormThatItIsGiven) {
  AppConfig config;
  config.keys = {"key"};
  config.refuse = [](int status, const std::string& reason) -> HttpResponse {
    return {.status = status, .content_type = "application/json", .body = "{" + reason + "}"};
  };
  const Serving serving(config);
  const auto refused = serving.get("/a");
  EXPECT_TRUE(refused.starts_with("HTTP/1.1 401 ")) << refused;
  EXPECT_TRUE(refused.ends_with("{the request lacks its key}")) << refused;
  EXPECT_NE(refused.find("application/json"), refused.npos);
  const std::string key = "\r\nHost: localhost\r\nAuthorization: Bearer key\r\n\r\n";
  EXPECT_TRUE(serving.reply("GET /a HTTP/1.1" + key).ends_with("path /a"));
  EXPECT_TRUE(serving.reply("GET /none HTTP/1.1" + key).ends_with("{there is no such page}"));
}

TEST(App, SendsALargeAnswerWhole) {
  const Serving serving;
  const auto answer = serving.get("/large");
  EXPECT_EQ(answer.size() - answer.find("\r\n\r\n") - 4, size_t{8} << 20);
}

TEST(App, RefusesWhatThePageDoesNotKnow) {
  const Serving serving;
  for (const char* method : {"POST", "PUT", "HEAD", "OPTIONS", "DELETE"}) {
    const auto answer = serving.reply(method + std::string(" /a HTTP/1.1\r\nHost: localhost\r\n\r\nbody"));
    EXPECT_TRUE(answer.starts_with("HTTP/1.1 405 ")) << answer;
    EXPECT_NE(answer.find("Allow: GET\r\n"), answer.npos);
  }
  EXPECT_TRUE(serving.get("/echo").starts_with("HTTP/1.1 405 "));
  for (const char* target : {"/", "/a/", "//a", "/../a", "/%zz", "a", "/a%00"})
    EXPECT_TRUE(serving.get(target).starts_with("HTTP/1.1 404 ")) << target;
  for (const char* line : {"nonsense", "GET", "GET /a", "GET /a HTTP/2", "get /a HTTP/1.1", "\x16\x03\x01"})
    EXPECT_TRUE(serving.reply(std::string(line) + "\r\n\r\n").starts_with("HTTP/1.1 400 ")) << line;
  EXPECT_EQ(serving.num_handled, 0);
}

TEST(App, RefusesForeignHosts) {
  const Serving serving;
  EXPECT_TRUE(serving.reply("GET /a HTTP/1.1\r\nHost: evil.example\r\n\r\n").starts_with("HTTP/1.1 403 "));
  EXPECT_TRUE(serving.reply("GET /a HTTP/1.1\r\n\r\n").starts_with("HTTP/1.1 403 "));
  EXPECT_EQ(serving.num_handled, 0);
}

TEST(App, SendsAnswersWholeAndAsTheyAre) {
  const Serving serving;
  const auto answer = serving.reply(
      "GET /a HTTP/1.1\r\nHost: localhost\r\nRange: bytes=0-1\r\n"
      "Accept-Encoding: gzip, br\r\n\r\n");
  EXPECT_TRUE(answer.starts_with("HTTP/1.1 200 ")) << answer;
  EXPECT_TRUE(answer.ends_with("path /a")) << answer;
}

TEST(App, OutlivesAPageThatFails) {
  const Serving serving;
  const auto answer = serving.get("/broken");
  EXPECT_TRUE(answer.starts_with("HTTP/1.1 500 ")) << answer;
  EXPECT_EQ(answer.find("inside"), answer.npos) << "the cause is the server's own matter";
  EXPECT_FALSE(serving.get("/broken-stream").ends_with("0\r\n\r\n")) << "a broken stream has no end";
  EXPECT_TRUE(serving.get("/a").ends_with("path /a"));
}

TEST(App, RefusesHugeHeadersAndGoesOn) {
  const Serving serving;
  const Client client(serving.port());
  client.send("GET / HTTP/1.1\r\nX: " + std::string(100'000, 'x'));
  EXPECT_TRUE(client.read().starts_with("HTTP/1.1 431 "));
  const Client many(serving.port());
  std::string lines = "GET / HTTP/1.1\r\n";
  for (int i = 0; i < 5'000; ++i) lines += "a: b\r\n";
  many.send(lines);
  EXPECT_TRUE(many.read().starts_with("HTTP/1.1 431 "));
  EXPECT_EQ(serving.num_handled, 0);
  EXPECT_TRUE(serving.get("/a").ends_with("path /a"));
}

TEST(App, IsNotHeldUpBySlowClients) {
  AppConfig config;
  config.max_connections = 4;
  const Serving serving(config);
  std::vector<std::unique_ptr<Client>> slow;
  for (int i = 0; i < 12; ++i) {
    slow.push_back(std::make_unique<Client>(serving.port()));
    slow.back()->send("GET / HT");
  }
  EXPECT_TRUE(serving.get("/quick").ends_with("path /quick"));
}

TEST(App, ClosesAConnectionThatNeverFinishesItsRequest) {
  AppConfig config;
  config.request_timeout = 100ms;
  const Serving serving(config);
  const Client client(serving.port());
  client.send("GET / HT");
  EXPECT_EQ(client.read(), "") << "closed without an answer, well within the client's patience of 10 s";
  const Client slow(serving.port());  // however often a byte comes
  const auto start = std::chrono::steady_clock::now();
  for (int i = 0; i < 500 && slow.send("x"); ++i) std::this_thread::sleep_for(10ms);
  EXPECT_LT(std::chrono::steady_clock::now() - start, 3s);
  EXPECT_EQ(serving.num_handled, 0);
}

TEST(App, RefusesConnectionsWhileAllAreAnswered) {
  AppConfig config;
  config.max_connections = 2;
  Serving serving(config);
  const Client first(serving.port()), second(serving.port());
  for (const auto* client : {&first, &second}) client->send("GET /busy HTTP/1.1\r\nHost: localhost\r\n\r\n");
  while (serving.num_handled < 2) std::this_thread::sleep_for(1ms);
  EXPECT_TRUE(Client(serving.port()).read().starts_with("HTTP/1.1 503 "));
  serving.is_busy = true;
  serving.is_busy.notify_all();
  for (const auto* client : {&first, &second}) EXPECT_TRUE(client->read().starts_with("HTTP/1.1 200 "));
  EXPECT_TRUE(serving.get("/a").ends_with("path /a"));
}

TEST(App, LosesClientsThatDoNotReadTheirAnswer) {
  AppConfig config;
  config.send_timeout = 30ms;
  const Serving serving(config);
  const Client client(serving.port());
  client.send("GET /large HTTP/1.1\r\nHost: localhost\r\n\r\n");
  std::this_thread::sleep_for(500ms);  // many times the time-out, with nothing read
  EXPECT_LT(client.read().size(), size_t{8} << 20);
}

std::string open_events(const Client& client) {
  client.send("GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n");
  return client.read("retry: 2000\n\n\r\n");
}

TEST(App, TellsEveryStreamOfAnEvent) {
  Serving serving;
  const Client first(serving.port()), second(serving.port());
  for (const auto* client : {&first, &second}) {
    const auto head = open_events(*client);
    EXPECT_NE(head.find("text/event-stream"), std::string::npos);
    EXPECT_EQ(head.find("Content-Length"), std::string::npos);
  }
  serving.events.send("7");
  EXPECT_EQ(first.read("\n\n\r\n"), "9\r\ndata: 7\n\n\r\n");
  EXPECT_EQ(second.read("\n\n\r\n"), "9\r\ndata: 7\n\n\r\n");
}

TEST(App, BoundsItsStreams) {
  AppConfig config;
  config.max_streams = 2;
  Serving serving(config);
  auto first = std::make_unique<Client>(serving.port());
  const Client second(serving.port()), third(serving.port());
  open_events(*first);
  open_events(second);
  EXPECT_TRUE(open_events(third).starts_with("HTTP/1.1 503 "));
  EXPECT_TRUE(serving.get("/a").ends_with("path /a"));
  first.reset();
  std::string answer;
  for (int i = 0; i < 100 && !answer.starts_with("HTTP/1.1 200 "); ++i) {
    std::this_thread::sleep_for(20ms);
    answer = open_events(Client(serving.port()));
  }
  EXPECT_TRUE(answer.starts_with("HTTP/1.1 200 ")) << "a closed stream makes place";
}

TEST(App, EndsWithStreamsAndSlowClientsOpen) {
  auto serving = std::make_unique<Serving>();
  const Client stream(serving->port()), slow(serving->port()), silent(serving->port());
  open_events(stream);
  slow.send("GET / HT");
  const auto start = std::chrono::steady_clock::now();
  serving.reset();
  EXPECT_LT(std::chrono::steady_clock::now() - start, 3s);
  EXPECT_EQ(slow.read(), "");
}

TEST(App, EndsWhenItsTickFails) {
  App app(AppConfig{});
  EXPECT_THROW(app.run({}, 1ms, []() -> bool { fail("no more"); }), Error);
}

TEST(App, RefusesAnAddressThatIsTakenOrNoneOfIts) {
  const auto message_of = [](const AppConfig& config) -> std::string {
    try {
      App app(config);
    } catch (const Error& error) {
      return error.what();
    }
    return "no error";
  };
  const Serving serving;
  AppConfig taken;
  taken.port = serving.port();
  EXPECT_NE(message_of(taken).find("port " + std::to_string(serving.port())), std::string::npos);
  EXPECT_NE(message_of(taken).find("already in use"), std::string::npos);
  AppConfig elsewhere;
  elsewhere.host = "192.0.2.1";  // set aside for documentation
  EXPECT_NE(message_of(elsewhere).find("listening at 192.0.2.1"), std::string::npos);
  AppConfig nonsense;
  nonsense.host = "no host";
  EXPECT_NE(message_of(nonsense).find("listening at no host"), std::string::npos);
  EXPECT_NE(message_of(nonsense).find("no address of this name"), std::string::npos);
}

}  // namespace
}  // namespace vlsi
