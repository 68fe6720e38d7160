#include "serve/http_server.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netdb.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <vector>

#include "base/error.h"
#include "serve/http_request.h"

namespace vlsi {
namespace {

using Clock = std::chrono::steady_clock;

const char* reason_of(int status) {
  switch (status) {
    case 200: return "OK";
    case 400: return "Bad Request";
    case 401: return "Unauthorized";
    case 403: return "Forbidden";
    case 404: return "Not Found";
    case 405: return "Method Not Allowed";
    case 431: return "Request Header Fields Too Large";
    default: return "Error";
  }
}

std::string head_of(const HttpResponse& response) {
  std::string head =
      concat("HTTP/1.1 ", response.status, ' ', reason_of(response.status), "\r\nContent-Type: ", response.content_type,
             "\r\nCache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\nReferrer-Policy: no-referrer\r\n"
             "X-Frame-Options: DENY\r\nConnection: close\r\n");
  if (response.status == 405) head += "Allow: GET\r\n";
  if (!response.is_event_stream) head += concat("Content-Length: ", response.body.size(), "\r\n");
  return head + "\r\n";
}

struct Address {
  addrinfo* list = nullptr;
  Address() = default;
  Address(const Address&) = delete;
  Address& operator=(const Address&) = delete;
  ~Address() {
    if (list != nullptr) ::freeaddrinfo(list);
  }
};

int listen_at(const std::string& host, int port) {
  const std::string place = concat("listening at ", host, ", port ", port, ": ");
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_PASSIVE | AI_NUMERICSERV;
  Address address;
  if (const int error = ::getaddrinfo(host.c_str(), std::to_string(port).c_str(), &hints, &address.list))
    fail(place, ::gai_strerror(error));
  int problem = 0;
  for (const addrinfo* item = address.list; item != nullptr; item = item->ai_next) {
    const int listener = ::socket(item->ai_family, item->ai_socktype | SOCK_NONBLOCK | SOCK_CLOEXEC, item->ai_protocol);
    const int yes = 1;
    if (listener >= 0) ::setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
    if (listener >= 0 && ::bind(listener, item->ai_addr, item->ai_addrlen) == 0 && ::listen(listener, 64) == 0)
      return listener;
    problem = errno;
    if (listener >= 0) ::close(listener);
  }
  fail(place, std::strerror(problem));
}

int port_of(int listener) {
  sockaddr_storage address{};
  socklen_t size = sizeof(address);
  ::getsockname(listener, reinterpret_cast<sockaddr*>(&address), &size);
  const auto port = address.ss_family == AF_INET6 ? reinterpret_cast<sockaddr_in6*>(&address)->sin6_port
                                                  : reinterpret_cast<sockaddr_in*>(&address)->sin_port;
  return ntohs(port);
}

}  // namespace

struct HttpServer::Connection {
  explicit Connection(int connected) : descriptor(connected) {}
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;
  ~Connection() { ::close(descriptor); }

  int descriptor;
  std::string request, waiting;  // received so far; still to be sent
  size_t sent = 0;               // of `waiting`
  bool answered = false, is_event_stream = false, over = false;
  Clock::time_point since = Clock::now();  // connected, or last progress in sending

  bool has_waiting() const { return sent < waiting.size(); }
};

HttpServer::HttpServer(const HttpServerConfig& config, Handler handler)
    : config_(config),
      handler_(std::move(handler)),
      listener_(listen_at(config.host, config.port)),
      port_(port_of(listener_)) {}

HttpServer::~HttpServer() { ::close(listener_); }

void HttpServer::accept_connections() {
  for (;;) {
    const int connected = ::accept4(listener_, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (connected < 0) return;
    if (connections_.size() == config_.max_connections) {
      // The one that has been silent for longest makes place: slow clients keep nobody out.
      const auto is_slow = [](const Connection& connection) { return !connection.is_event_stream; };
      auto oldest = std::find_if(connections_.begin(), connections_.end(), is_slow);
      connections_.erase(oldest == connections_.end() ? connections_.begin() : oldest);
    }
    connections_.emplace_back(connected);
  }
}

void HttpServer::respond(Connection& connection, std::string_view head) {
  connection.answered = true;
  connection.since = Clock::now();
  HttpResponse response;
  HttpRequest request;
  if (const int problem = parse_http_request(head, request)) {
    response.status = problem;
    response.body = std::string(reason_of(problem)) + "\n";
  } else {
    response = handler_(request);
  }
  connection.is_event_stream = response.is_event_stream;
  connection.waiting = head_of(response) + response.body;
  connection.request.clear();
  send_waiting(connection);
}

void HttpServer::read_request(Connection& connection) {
  char bytes[4096];
  const ssize_t count = ::recv(connection.descriptor, bytes, sizeof(bytes), 0);
  if (count < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (count <= 0) {
    connection.over = true;
    return;
  }
  if (connection.answered) return;  // whatever follows the request is not read
  connection.request.append(bytes, static_cast<size_t>(count));
  const size_t end = connection.request.find("\r\n\r\n");
  if (end != std::string::npos) {
    respond(connection, connection.request.substr(0, end + 2));
  } else if (connection.request.size() > config_.max_request_bytes) {
    connection.answered = true;
    connection.waiting = head_of(HttpResponse{431, "text/plain; charset=utf-8", ""});
    send_waiting(connection);
  }
}

void HttpServer::send_waiting(Connection& connection) {
  while (connection.has_waiting()) {
    const ssize_t count = ::send(connection.descriptor, connection.waiting.data() + connection.sent,
                                 connection.waiting.size() - connection.sent, MSG_NOSIGNAL);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0 && errno == EAGAIN) return;
    if (count < 0) {
      connection.over = true;
      return;
    }
    connection.sent += static_cast<size_t>(count);
    connection.since = Clock::now();
  }
  connection.waiting.clear();
  connection.sent = 0;
  if (connection.is_event_stream || !connection.answered || connection.over) return;
  // The answer is out. What the client still sends is thrown away until it closes, or a reset could overtake the
  // answer.
  ::shutdown(connection.descriptor, SHUT_WR);
}

void HttpServer::close_late(Clock::time_point now) {
  connections_.remove_if([&](const Connection& connection) {
    if (connection.over) return true;
    const auto age = now - connection.since;
    if (connection.is_event_stream && !connection.has_waiting()) return false;
    return age > (connection.has_waiting() ? config_.send_timeout : config_.request_timeout);
  });
}

void HttpServer::send_event(std::string_view data) {
  for (auto& connection : connections_) {
    if (!connection.is_event_stream || connection.over) continue;
    if (connection.waiting.size() - connection.sent > config_.max_waiting_event_bytes) {
      connection.over = true;
      continue;
    }
    if (!connection.has_waiting()) connection.since = Clock::now();
    connection.waiting += concat("data: ", data, "\n\n");
    send_waiting(connection);
  }
}

void HttpServer::run(std::chrono::milliseconds interval, const std::function<bool()>& tick) {
  auto next_tick = Clock::now();
  for (;;) {
    if (Clock::now() >= next_tick) {
      if (!tick()) return;
      next_tick = Clock::now() + interval;
    }
    close_late(Clock::now());
    std::vector<pollfd> polled{{listener_, POLLIN, 0}};
    for (const auto& connection : connections_) {
      polled.push_back(
          {connection.descriptor, static_cast<short>(POLLIN | (connection.has_waiting() ? POLLOUT : 0)), 0});
    }
    const auto wait = std::chrono::duration_cast<std::chrono::milliseconds>(next_tick - Clock::now()).count();
    ::poll(polled.data(), polled.size(), static_cast<int>(std::max<int64_t>(wait, 0)));
    size_t index = 1;
    for (auto& connection : connections_) {
      const short ready = polled[index++].revents;
      if (ready & POLLOUT) send_waiting(connection);
      if (ready & (POLLIN | POLLHUP | POLLERR)) read_request(connection);
    }
    accept_connections();
  }
}

}  // namespace vlsi
