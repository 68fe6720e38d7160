#include "serve/app.h"

#include <httplib.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>

#include "base/error.h"
#include "base/log.h"
#include "serve/access.h"
#include "serve/connection.h"

namespace vlsi {
namespace {

/// The connection as httplib reads and writes it: the request's head is there before the first line is parsed.
class RequestStream final : public httplib::Stream {
 public:
  explicit RequestStream(Connection& connection) : connection_(connection) {}

  enum class Head { kWhole, kTooLarge, kNever };
  Head receive_head(size_t max_bytes) {
    char bytes[4096];
    for (size_t looked_at = 0; received_.find("\r\n\r\n", looked_at) == std::string::npos;) {
      if (received_.size() > max_bytes) return Head::kTooLarge;
      looked_at = received_.size() - std::min<size_t>(received_.size(), 3);
      const ssize_t count = connection_.receive(bytes, sizeof(bytes));
      if (count <= 0) return Head::kNever;
      received_.append(bytes, static_cast<size_t>(count));
    }
    return Head::kWhole;
  }

  bool is_readable() const override { return true; }
  bool is_writable() const override { return connection_.is_open(); }
  ssize_t read(char* bytes, size_t size) override {
    if (taken_ == received_.size()) return connection_.receive(bytes, size);
    const size_t count = received_.copy(bytes, size, taken_);
    taken_ += count;
    return static_cast<ssize_t>(count);
  }
  ssize_t write(const char* bytes, size_t size) override { return connection_.send(bytes, size); }
  void get_remote_ip_and_port(std::string& address, int&) const override { address = connection_.peer(); }
  void get_local_ip_and_port(std::string&, int&) const override {}
  socket_t socket() const override { return INVALID_SOCKET; }

 private:
  Connection& connection_;
  std::string received_;
  size_t taken_ = 0;  // of `received_`
};

/// Runs every task at once: the server only hands connections on.
class NoQueue final : public httplib::TaskQueue {
 public:
  using Taken = decltype(std::declval<httplib::TaskQueue&>().enqueue(nullptr));  // bool since httplib 0.15, else void
  Taken enqueue(std::function<void()> task) override {
    task();
    return Taken(true);
  }
  void shutdown() override {}
};

HttpRequest request_of(const httplib::Request& given) {
  HttpRequest request;
  request.path = given.path;
  request.peer = given.remote_addr;
  if (given.progress) request.is_waited_for = [progress = given.progress] { return progress(0, 0); };
  request.query.insert(given.params.begin(), given.params.end());
  for (const auto& [name, value] : given.headers) {
    std::string key = name;
    for (char& c : key) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    request.headers.emplace(key, value);
  }
  return request;
}

/// (httplib's own reader of numbers has another name from 0.12 on.)
uint64_t content_length(const httplib::Request& given) {
  return std::strtoull(given.get_header_value("Content-Length").c_str(), nullptr, 10);
}

/// An answer that no page gives, without httplib.
void send_status(Connection& connection, const std::string& status) {
  const auto answer = "HTTP/1.1 " + status + "\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";
  connection.send(answer.data(), answer.size());
}

}  // namespace

class App::Server final : public httplib::Server {
 public:
  explicit Server(const AppConfig& config)
      : config_(config), access_(config.host, config.keys), connections_(config.max_connections) {
    listen();
    new_task_queue = [] { return new NoQueue; };
    set_tcp_nodelay(true);
    set_default_headers({{"Cache-Control", "no-store"},
                         {"X-Content-Type-Options", "nosniff"},
                         {"Referrer-Policy", "no-referrer"},
                         {"X-Frame-Options", "DENY"}});
    set_pre_routing_handler([this](const httplib::Request& request, httplib::Response& response) {
      return respond_without_body(request, response);
    });
    Post(".*", [this](const httplib::Request& request, httplib::Response& response,
                      const httplib::ContentReader& reader) { respond_to_post(request, response, reader); });
  }
  ~Server() override { close_listener(); }

  int port() const { return port_; }
  const AppConfig& config() const { return config_; }
  const Access& access() const { return access_; }

  void run(const std::vector<HttpPage>& pages, std::chrono::milliseconds interval, const std::function<bool()>& tick) {
    pages_ = &pages;
    threads_ = std::make_unique<httplib::ThreadPool>(config_.max_connections);
    std::atomic<bool> is_listening = true;
    std::thread listener([&] {
      listen_after_bind();
      is_listening = false;
    });
    struct End {
      Server& server;
      std::thread& listener;
      ~End() {
        server.close_listener();
        listener.join();
        server.connections_.cut_all();
        server.threads_->shutdown();
      }
    } end{*this, listener};
    while (tick()) {
      if (!is_listening)
        fail("listening at ", config_.host, ", port ", port_, ": the system takes no more connections");
      std::this_thread::sleep_for(interval);
    }
  }

 private:
  void listen();
  void close_listener();
  bool process_and_close_socket(socket_t socket) override;
  void serve(Connection& connection);
  HandlerResponse respond_without_body(const httplib::Request& given, httplib::Response& response);
  void respond_to_post(const httplib::Request& given, httplib::Response& response,
                       const httplib::ContentReader& reader);
  const HttpPage* page_of(const httplib::Request& given) const;
  void respond(const HttpPage& page, HttpRequest request, httplib::Response& response);
  void send(HttpResponse answer, httplib::Response& response);
  HttpResponse refusal(int status, const std::string& reason) const;
  void respond_by_stream(HttpResponse& answer, httplib::Response& response);
  void respond_by_held_body(HttpResponse& answer, httplib::Response& response);

  const AppConfig config_;
  const Access access_;
  int port_ = 0;
  const std::vector<HttpPage>* pages_ = nullptr;
  std::unique_ptr<httplib::ThreadPool> threads_;
  Connections connections_;
  std::atomic<size_t> num_streams_ = 0, held_body_bytes_ = 0;
};

void App::Server::listen() {
  const auto& [host, port] = std::tie(config_.host, config_.port);
  bool has_address = false;
  // httplib's own options let two programs share a port.
  set_socket_options([&](socket_t socket) {
    has_address = true;
    const int yes = 1;
    ::setsockopt(socket, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
  });
  port_ = port == 0 ? bind_to_any_port(host) : bind_to_port(host, port) ? port : -1;
  if (port_ < 0) {
    fail("listening at ", host, ", port ", port, ": ",
         has_address ? std::strerror(errno) : "there is no address of this name");
  }
  ::listen(svr_sock_, 64);  // httplib lets five wait
}

void App::Server::close_listener() {
  const socket_t socket = svr_sock_.exchange(INVALID_SOCKET);
  if (socket == INVALID_SOCKET) return;
  ::shutdown(socket, SHUT_RDWR);
  ::close(socket);
}

bool App::Server::process_and_close_socket(socket_t socket) {
  const auto connection = std::make_shared<Connection>(socket, config_.request_timeout, config_.send_timeout);
  if (connections_.admit(connection)) {
    threads_->enqueue([this, connection] { serve(*connection); });
  } else {
    send_status(*connection, "503 Service Unavailable");
    connection->finish(std::chrono::milliseconds(0));
  }
  return true;
}

void App::Server::serve(Connection& connection) {
  RequestStream stream(connection);
  const auto head = stream.receive_head(config_.max_head_bytes);
  if (head == RequestStream::Head::kNever) return;
  if (head == RequestStream::Head::kTooLarge) {
    send_status(connection, "431 Request Header Fields Too Large");
  } else {
    bool is_closed = false;
    const auto set_up = [&connection](httplib::Request& request) {
      // httplib has no place for this in a request that is served; a client's own it calls while sending.
      request.progress = [&connection](uint64_t, uint64_t) { return connection.is_open(); };
      // httplib would send parts of an answer, and compress it in a second or two.
      request.ranges.clear();
      request.headers.erase("Accept-Encoding");
    };
    const auto process = [&](auto& server) {
      if constexpr (requires { server.process_request(stream, true, is_closed, set_up); }) {
        server.process_request(stream, /*close_connection=*/true, is_closed, set_up);
      } else {  // httplib 0.16 and later want both ends' addresses
        server.process_request(stream, connection.peer(), 0, {}, 0, /*close_connection=*/true, is_closed, set_up);
      }
    };
    process(*this);
  }
  connection.finish(config_.request_timeout);
}

const HttpPage* App::Server::page_of(const httplib::Request& given) const {
  const auto found = std::find_if(pages_->begin(), pages_->end(), [&](const HttpPage& page) {
    return page.path == given.path && page.method == given.method;
  });
  return found == pages_->end() ? nullptr : &*found;
}

/// Answers all but a POST to a page, whose body is still to be received.
httplib::Server::HandlerResponse App::Server::respond_without_body(const httplib::Request& given,
                                                                   httplib::Response& response) {
  const auto refuse = [&](int status, const std::string& text) {
    send(refusal(status, text), response);
    return HandlerResponse::Handled;
  };
  auto request = request_of(given);
  const auto* page = page_of(given);
  if (const int status = access_.refusal(request, page != nullptr && page->is_open)) {
    const char* const lacks = config_.keys.empty() ? "the address lacks its token" : "the request lacks its key";
    return refuse(status, status == 401 ? lacks : "not for this host name");
  }
  std::string methods;
  for (const auto& known : *pages_) {
    if (known.path == given.path) methods += (methods.empty() ? "" : ", ") + known.method;
  }
  if (methods.empty()) return refuse(404, "there is no such page");
  if (page == nullptr) {
    response.set_header("Allow", methods);
    return refuse(405, "this page knows only " + methods);
  }
  if (given.method == "GET") {
    respond(*page, std::move(request), response);
    return HandlerResponse::Handled;
  }
  if (!given.has_header("Content-Length")) return refuse(411, "the request does not say how long it is");
  if (content_length(given) > config_.max_body_bytes)
    return refuse(413, concat("the request has more than ", config_.max_body_bytes, " bytes"));
  if (given.has_header("Transfer-Encoding") || given.has_header("Content-Encoding") || given.is_multipart_form_data())
    return refuse(415, "the request is encoded");
  return HandlerResponse::Unhandled;
}

void App::Server::respond_to_post(const httplib::Request& given, httplib::Response& response,
                                  const httplib::ContentReader& reader) {
  const size_t size = content_length(given);
  struct Held {
    std::atomic<size_t>& sum;
    size_t size;
    ~Held() { sum -= size; }
  } held{held_body_bytes_, size};
  if (held_body_bytes_.fetch_add(size) + size > config_.max_held_body_bytes)
    return send(refusal(503, "other requests hold too much memory"), response);
  auto request = request_of(given);
  const bool is_whole = reader([&](const char* bytes, size_t count) {
    request.body.append(bytes, count);
    return true;
  });
  if (is_whole) respond(*page_of(given), std::move(request), response);
}

HttpResponse App::Server::refusal(int status, const std::string& reason) const {
  if (config_.refuse) return config_.refuse(status, reason);
  return {.status = status, .body = reason + "\n"};
}

void App::Server::respond(const HttpPage& page, HttpRequest request, httplib::Response& response) {
  HttpResponse answer;
  try {
    answer = page.handler(std::move(request));
  } catch (const std::exception& error) {
    log_warning(concat("answering ", page.path, ": ", error.what()));
    answer = refusal(500, "the server failed");
  }
  if (answer.stream && num_streams_.fetch_add(1) >= config_.max_streams) {
    --num_streams_;
    answer = refusal(503, "too many streams");
  }
  send(std::move(answer), response);
}

void App::Server::send(HttpResponse answer, httplib::Response& response) {
  response.status = answer.status;
  for (const auto& [name, value] : answer.headers) response.set_header(name, value);
  if (answer.stream) return respond_by_stream(answer, response);
  if (answer.until_sent) return respond_by_held_body(answer, response);
  response.body = std::move(answer.body);
  response.set_header("Content-Type", answer.content_type);
}

/// httplib's response is the last to hold the provider, and ends behind what is sent.
void App::Server::respond_by_held_body(HttpResponse& answer, httplib::Response& response) {
  const auto body = std::make_shared<const std::string>(std::move(answer.body));
  response.set_content_provider(
      body->size(), answer.content_type,
      [body, held = std::move(answer.until_sent)](size_t begin, size_t size, httplib::DataSink& sink) {
        return sink.write(body->data() + begin, size);
      });
}

void App::Server::respond_by_stream(HttpResponse& answer, httplib::Response& response) {
  response.set_chunked_content_provider(
      answer.content_type,
      [stream = std::move(answer.stream)](size_t, httplib::DataSink& sink) {
        try {
          stream([&](std::string_view piece) {
            return piece.empty() ? sink.is_writable() : sink.write(piece.data(), piece.size());
          });
        } catch (const std::exception& error) {
          log_warning(concat("in the middle of an answer: ", error.what()));
          return false;  // without an end, which the client sees
        }
        sink.done();
        return true;
      },
      [this](bool) { --num_streams_; });
}

App::App(const AppConfig& config) : server_(std::make_unique<Server>(config)) {}
App::~App() = default;

int App::port() const { return server_->port(); }

std::string App::address() const {
  const auto& host = server_->config().host;
  const auto& token = server_->access().token();
  const bool is_ipv6 = host.find(':') != std::string::npos;
  return concat("http://", is_ipv6 ? "[" + host + "]" : host, ":", port(), "/", token.empty() ? "" : "?token=" + token);
}

void App::run(const std::vector<HttpPage>& pages, std::chrono::milliseconds interval,
              const std::function<bool()>& tick) {
  server_->run(pages, interval, tick);
}

}  // namespace vlsi
