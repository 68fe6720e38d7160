// The server beside clients that are right, rude and slow.
#include "serve/http_server.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <atomic>
#include <thread>

#include "base/error.h"

namespace vlsi {
namespace {

using namespace std::chrono_literals;

/// A connection to the server.
class Client {
 public:
  explicit Client(int port) : socket_(::socket(AF_INET, SOCK_STREAM, 0)) {
    const timeval patience{10, 0};
    ::setsockopt(socket_, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<uint16_t>(port));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    connected_ = ::connect(socket_, reinterpret_cast<sockaddr*>(&address), sizeof(address)) == 0;
  }
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;
  ~Client() { ::close(socket_); }

  bool send(const std::string& text) const {
    return connected_ && ::send(socket_, text.data(), text.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(text.size());
  }
  /// Everything until the server closes, or until `until` has come.
  std::string read(const std::string& until = "") const {
    std::string text;
    char bytes[4096];
    while (until.empty() || text.find(until) == text.npos) {
      const ssize_t count = ::recv(socket_, bytes, sizeof(bytes), 0);
      if (count <= 0) break;
      text.append(bytes, static_cast<size_t>(count));
    }
    return text;
  }

 private:
  int socket_;
  bool connected_ = false;
};

/// A server in a thread of its own that answers with the path, and events on /events.
class Serving {
 public:
  explicit Serving(HttpServerConfig config = {})
      : server_(config,
                [this](const HttpRequest& request) -> HttpResponse {
                  ++num_handled;
                  if (request.path == "/events")
                    return {.content_type = "text/event-stream", .body = "retry: 1\n\n", .is_event_stream = true};
                  if (request.path == "/large") return {.body = std::string(8 << 20, 'x')};
                  return {.body = "path " + request.path};
                }),
        thread_([this] {
          server_.run(5ms, [this] {
            if (const int event = pending_event.exchange(0)) server_.send_event(std::to_string(event));
            return !stop_;
          });
        }) {}
  ~Serving() {
    stop_ = true;
    thread_.join();
  }
  int port() const { return server_.port(); }
  std::string get(const std::string& target) const {
    const Client client(port());
    client.send("GET " + target + " HTTP/1.1\r\nHost: localhost\r\n\r\n");
    return client.read();
  }

  std::atomic<int> num_handled = 0, pending_event = 0;

 private:
  std::atomic<bool> stop_ = false;
  HttpServer server_;
  std::thread thread_;
};

TEST(HttpServer, Answers) {
  const Serving serving;
  const auto answer = serving.get("/a?b=c");
  EXPECT_TRUE(answer.starts_with("HTTP/1.1 200 OK\r\n")) << answer;
  EXPECT_NE(answer.find("Content-Length: 7\r\n"), std::string::npos) << answer;
  EXPECT_TRUE(answer.ends_with("\r\n\r\npath /a")) << answer;
}

TEST(HttpServer, TakesARequestInPieces) {
  const Serving serving;
  const Client client(serving.port());
  for (const char c : std::string("GET /x HTTP/1.1\r\nHost: a\r\n\r\n")) ASSERT_TRUE(client.send(std::string(1, c)));
  EXPECT_TRUE(client.read().ends_with("path /x"));
}

TEST(HttpServer, SendsALargeAnswerWhole) {
  const Serving serving;
  const auto answer = serving.get("/large");
  EXPECT_EQ(answer.size() - answer.find("\r\n\r\n") - 4, size_t{8} << 20);
}

TEST(HttpServer, RefusesWhatIsNoGetRequest) {
  const Serving serving;
  const auto reply = [&](const std::string& text) {
    const Client client(serving.port());
    client.send(text);
    return client.read();
  };
  EXPECT_TRUE(reply("POST / HTTP/1.1\r\nHost: a\r\n\r\nbody").starts_with("HTTP/1.1 405 "));
  EXPECT_TRUE(reply("nonsense\r\n\r\n").starts_with("HTTP/1.1 400 "));
  EXPECT_EQ(serving.num_handled, 0);
}

TEST(HttpServer, RefusesHugeHeadersAndGoesOn) {
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
  EXPECT_TRUE(serving.get("/after").ends_with("path /after"));
}

TEST(HttpServer, IsNotHeldUpBySlowClients) {
  HttpServerConfig config;
  config.max_connections = 4;
  const Serving serving(config);
  std::vector<std::unique_ptr<Client>> slow;
  for (int i = 0; i < 12; ++i) {
    slow.push_back(std::make_unique<Client>(serving.port()));
    slow.back()->send("GET / HT");
  }
  EXPECT_TRUE(serving.get("/quick").ends_with("path /quick"));
}

TEST(HttpServer, ClosesAConnectionThatNeverFinishesItsRequest) {
  HttpServerConfig config;
  config.request_timeout = 30ms;
  const Serving serving(config);
  const Client client(serving.port());
  client.send("GET / HT");
  EXPECT_EQ(client.read(), "") << "closed without an answer, well within the client's patience of 10 s";
  EXPECT_EQ(serving.num_handled, 0);
}

TEST(HttpServer, LosesClientsThatDoNotReadTheirAnswer) {
  HttpServerConfig config;
  config.send_timeout = 30ms;
  const Serving serving(config);
  const Client client(serving.port());
  client.send("GET /large HTTP/1.1\r\nHost: a\r\n\r\n");
  std::this_thread::sleep_for(500ms);  // many times the time-out, with nothing read
  EXPECT_LT(client.read().size(), size_t{8} << 20);
}

TEST(HttpServer, TellsEveryStreamOfAnEvent) {
  Serving serving;
  const Client first(serving.port()), second(serving.port());
  for (const auto* client : {&first, &second}) {
    client->send("GET /events HTTP/1.1\r\nHost: a\r\n\r\n");
    const auto head = client->read("retry: 1\n\n");
    EXPECT_NE(head.find("text/event-stream"), std::string::npos);
    EXPECT_EQ(head.find("Content-Length"), std::string::npos);
  }
  serving.pending_event = 7;
  EXPECT_EQ(first.read("\n\n"), "data: 7\n\n");
  EXPECT_EQ(second.read("\n\n"), "data: 7\n\n");
}

TEST(HttpServer, RefusesAnAddressThatIsTakenOrNoneOfIts) {
  const auto message_of = [](const HttpServerConfig& config) -> std::string {
    try {
      HttpServer server(config, [](const HttpRequest&) { return HttpResponse(); });
    } catch (const Error& error) {
      return error.what();
    }
    return "no error";
  };
  const Serving serving;
  HttpServerConfig taken;
  taken.port = serving.port();
  EXPECT_NE(message_of(taken).find("port " + std::to_string(serving.port())), std::string::npos);
  HttpServerConfig elsewhere;
  elsewhere.host = "192.0.2.1";  // set aside for documentation
  EXPECT_NE(message_of(elsewhere).find("listening at 192.0.2.1"), std::string::npos);
  HttpServerConfig nonsense;
  nonsense.host = "no host";
  EXPECT_NE(message_of(nonsense).find("listening at no host"), std::string::npos);
}

}  // namespace
}  // namespace vlsi
