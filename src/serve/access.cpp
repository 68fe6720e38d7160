#include "serve/access.h"

#include <sys/random.h>

#include <cerrno>
#include <cstring>

#include "base/error.h"

namespace vlsi {
namespace {

bool is_loopback(const std::string& host) {
  return host == "localhost" || host == "::1" || host == "[::1]" || host.starts_with("127.");
}

std::string random_token() {
  unsigned char bytes[16];
  if (::getrandom(bytes, sizeof(bytes), 0) != sizeof(bytes)) fail("making a token: ", std::strerror(errno));
  std::string token;
  for (const unsigned char byte : bytes) {
    token += "0123456789abcdef"[byte >> 4];
    token += "0123456789abcdef"[byte & 15];
  }
  return token;
}

/// Takes the same time wherever the texts differ.
bool equal_in_constant_time(const std::string& a, const std::string& b) {
  if (a.size() != b.size()) return false;
  unsigned char difference = 0;
  for (size_t i = 0; i < a.size(); ++i) difference |= static_cast<unsigned char>(a[i] ^ b[i]);
  return difference == 0;
}

/// "127.0.0.1:8080" -> "127.0.0.1", "[::1]:8080" -> "[::1]".
std::string without_port(const std::string& host) {
  const size_t colon = host.rfind(':');
  return colon == std::string::npos || host.ends_with(']') ? host : host.substr(0, colon);
}

}  // namespace

Access::Access(const std::string& host) : token_(is_loopback(host) ? "" : random_token()) {}

int Access::refusal(const HttpRequest& request) const {
  if (!token_.empty()) {
    const auto given = request.query.find("token");
    return given != request.query.end() && equal_in_constant_time(given->second, token_) ? 0 : 401;
  }
  const auto host = request.headers.find("host");
  return host != request.headers.end() && is_loopback(without_port(host->second)) ? 0 : 403;
}

}  // namespace vlsi
