// Who may read a page that is served.
#pragma once

#include <string>

#include "serve/http.h"

namespace vlsi {

/// On loopback a request must name this machine as its host, so that no page of another site can read the answers (DNS
/// rebinding). Bound elsewhere, it must carry the token.
class Access {
 public:
  /// Makes a random token unless `host` is a loopback address or name.
  explicit Access(const std::string& host);

  /// 0, or the status to refuse with: 401 without the token, 403 for a foreign host name.
  int refusal(const HttpRequest& request) const;

  /// 32 hexadecimal digits, or empty on loopback.
  const std::string& token() const { return token_; }

 private:
  std::string token_;
};

}  // namespace vlsi
