#include "serve/access.h"

#include <arpa/inet.h>
#include <sys/random.h>

#include <cerrno>
#include <cstring>
#include <string_view>
#include <utility>

#include "base/error.h"

namespace vlsi {
namespace {

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

/// "http://127.0.0.1:8080" -> "127.0.0.1".
std::string host_of_origin(const std::string& origin) {
  const size_t scheme = origin.find("://");
  return scheme == std::string::npos ? "" : without_port(origin.substr(scheme + 3));
}

}  // namespace

bool Access::is_loopback(const std::string& host) {
  in_addr address{};
  const bool is_ipv4 = ::inet_pton(AF_INET, host.c_str(), &address) == 1;
  return host == "localhost" || host == "::1" || host == "[::1]" || (is_ipv4 && host.starts_with("127."));
}

Access::Access(const std::string& host, std::vector<std::string> keys)
    : is_loopback_(is_loopback(host)),
      keys_(std::move(keys)),
      token_(is_loopback_ || !keys_.empty() ? "" : random_token()) {}

int Access::refusal(const HttpRequest& request, bool is_open_page) const {
  if (is_loopback_) {
    const auto host = request.headers.find("host"), origin = request.headers.find("origin");
    if (host == request.headers.end() || !is_loopback(without_port(host->second))) return 403;
    if (origin != request.headers.end() && !is_loopback(host_of_origin(origin->second))) return 403;
  }
  if (!keys_.empty()) return is_open_page || has_key(request) ? 0 : 401;
  if (token_.empty()) return 0;
  const auto given = request.query.find("token");
  return given != request.query.end() && equal_in_constant_time(given->second, token_) ? 0 : 401;
}

bool Access::has_key(const HttpRequest& request) const {
  const auto header = request.headers.find("authorization");
  constexpr std::string_view kScheme = "Bearer ";
  if (header == request.headers.end() || !header->second.starts_with(kScheme)) return false;
  const auto given = header->second.substr(kScheme.size());
  bool found = false;
  for (const auto& key : keys_) found |= equal_in_constant_time(given, key);
  return found;
}

}  // namespace vlsi
