// A small HTTP server for the pages of one process: GET requests, and event streams. Everything that a client can make
// it hold is bounded: connections, bytes of a request, time for it, bytes that wait to be sent.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <string>
#include <string_view>

namespace vlsi {

struct HttpRequest {
  std::string path;                            // "/data.json", percent-decoded, without the query
  std::map<std::string, std::string> query;    // percent-decoded
  std::map<std::string, std::string> headers;  // names in lower case
};

struct HttpResponse {
  int status = 200;
  std::string content_type = "text/plain; charset=utf-8";
  std::string body = {};
  bool is_event_stream = false;  // the connection stays open for `send_event`; the body comes first
};

struct HttpServerConfig {
  std::string host = "127.0.0.1";
  int port = 0;  // 0: a free one
  size_t max_request_bytes = 16 << 10;
  size_t max_connections = 64;               // one more closes the oldest that waits for an answer, else the oldest
  size_t max_waiting_event_bytes = 1 << 20;  // of a stream's client that does not read
  std::chrono::milliseconds request_timeout{10'000};  // from the connection to its whole request
  std::chrono::milliseconds send_timeout{30'000};     // without any progress in sending
};

/// One thread, one loop: `run` serves until it is told to stop.
class HttpServer {
 public:
  using Handler = std::function<HttpResponse(const HttpRequest&)>;

  /// Listens at once. Error when the address is taken or not this machine's.
  HttpServer(const HttpServerConfig& config, Handler handler);
  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;
  ~HttpServer();

  int port() const { return port_; }

  /// Calls `tick` about every `interval` until it returns false. Only GET is answered by the handler; a request that is
  /// broken, too long or too slow is refused and its connection closed.
  void run(std::chrono::milliseconds interval, const std::function<bool()>& tick);

  /// To every open event stream, from within `tick`. `data` must be one line.
  void send_event(std::string_view data);

 private:
  struct Connection;

  void accept_connections();
  void read_request(Connection& connection);
  void respond(Connection& connection, std::string_view head);
  void send_waiting(Connection& connection);
  void close_late(std::chrono::steady_clock::time_point now);

  HttpServerConfig config_;
  Handler handler_;
  int listener_ = -1, port_ = 0;
  std::list<Connection> connections_;
};

}  // namespace vlsi
