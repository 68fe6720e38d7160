// An HTTP server for the pages of one process. Everything that a client can make it hold is bounded: connections,
// streams, bytes of a request, and the time for it.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "serve/http.h"

namespace vlsi {

struct AppConfig {
  std::string host = "127.0.0.1";
  int port = 0;  // 0: a free one
  size_t max_head_bytes = 16 << 10;
  size_t max_body_bytes = 16 << 20;
  size_t max_connections = 64;  // each has a thread; one more closes the oldest that waits for its client, or gets 503
  size_t max_streams = 32;      // answers in pieces, for which events may be long in coming; one more gets 503
  std::chrono::milliseconds request_timeout{10'000};  // from the connection to its whole request
  std::chrono::milliseconds send_timeout{30'000};     // without any progress in sending
  size_t max_held_body_bytes = 1 << 30;               // of all requests that are being answered; one more gets 503
  std::vector<std::string> keys = {};                 // where there are any, a request must carry one (Access)
  /// The answer that says why there is no other; where it is empty, the reason as plain text.
  std::function<HttpResponse(int status, const std::string& reason)> refuse = nullptr;
};

class App {
 public:
  /// Listens at once. Error when the address is taken or not this machine's.
  explicit App(const AppConfig& config);
  ~App();

  int port() const;
  /// "http://127.0.0.1:8080/"; with "?token=…" where others than this machine can reach it.
  std::string address() const;

  /// Answers with the pages, and calls `tick` about every `interval` until it returns false. Then ends all answers and
  /// returns. Requests that Access refuses, and those that are broken, too large or too slow, reach no page.
  void run(const std::vector<HttpPage>& pages, std::chrono::milliseconds interval, const std::function<bool()>& tick);

 private:
  class Server;
  std::unique_ptr<Server> server_;
};

}  // namespace vlsi
