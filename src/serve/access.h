// Who may read a page that is served.
#pragma once

#include <string>
#include <vector>

#include "serve/http.h"

namespace vlsi {

/// On loopback a request must name this machine as its host, and as its origin if it has one, so that no page of
/// another site can ask or read the answers (DNS rebinding). Bound elsewhere, it must carry the token. With keys it
/// must carry one of them instead, wherever it is bound: "Authorization: Bearer KEY".
class Access {
 public:
  /// Makes a random token where `host` is not a loopback address or name and there are no keys.
  explicit Access(const std::string& host, std::vector<std::string> keys = {});

  /// 0, or the status to refuse with: 401 without token or key, 403 for a foreign host name. An open page needs no key.
  int refusal(const HttpRequest& request, bool is_open_page = false) const;

  /// 32 hexadecimal digits; empty on loopback and with keys.
  const std::string& token() const { return token_; }

  static bool is_loopback(const std::string& host);

 private:
  bool has_key(const HttpRequest& request) const;

  bool is_loopback_;
  std::vector<std::string> keys_;
  std::string token_;
};

}  // namespace vlsi
