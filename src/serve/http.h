// Requests and answers, as the pages of a server see them.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>

namespace vlsi {

struct HttpRequest {
  std::string path;                                           // "/data.json", percent-decoded, without the query
  std::map<std::string, std::string> query;                   // percent-decoded
  std::map<std::string, std::string> headers;                 // names in lower case
  std::string body;                                           // of a POST
  std::string peer;                                           // the client's address
  std::function<bool()> is_waited_for = [] { return true; };  // whether the client is still there
};

/// Sends a piece of an answer; false when its client is gone or the server stops. An empty piece only asks.
using SendPiece = std::function<bool(std::string_view)>;

struct HttpResponse {
  int status = 200;
  std::string content_type = "text/plain; charset=utf-8";
  std::string body = {};
  std::function<void(const SendPiece&)> stream = nullptr;  // in place of `body`: sends the answer piece by piece
  std::map<std::string, std::string> headers = {};         // beside Content-Type
  std::shared_ptr<const void> until_sent = nullptr;        // held until `body` is sent, or cannot be
};

/// What a server answers at one path. Handlers of several requests run at once, each on its connection's thread.
struct HttpPage {
  std::string method, path;  // "GET" or "POST"; "/data.json"
  std::function<HttpResponse(HttpRequest)> handler;
  bool is_open = false;  // given out without a key, too
};

}  // namespace vlsi
