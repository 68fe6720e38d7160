#include "ranks/own_address.h"

#include <netdb.h>
#include <sys/socket.h>
#include <unistd.h>

#include <memory>
#include <optional>

#include "base/error.h"

namespace vlsi {
namespace {

/// The source address of a datagram to `target`; none where no route leads there.
std::optional<std::string> source_towards(const addrinfo& target) {
  const int descriptor = ::socket(target.ai_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (descriptor < 0) return std::nullopt;
  sockaddr_storage source{};
  socklen_t size = sizeof(source);
  char text[NI_MAXHOST];
  const bool found =
      ::connect(descriptor, target.ai_addr, target.ai_addrlen) == 0 &&
      ::getsockname(descriptor, reinterpret_cast<sockaddr*>(&source), &size) == 0 &&
      ::getnameinfo(reinterpret_cast<sockaddr*>(&source), size, text, sizeof(text), nullptr, 0, NI_NUMERICHOST) == 0;
  ::close(descriptor);
  return found ? std::optional<std::string>(text) : std::nullopt;
}

}  // namespace

std::string address_towards(const std::string& host, uint16_t port) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_DGRAM;
  addrinfo* list = nullptr;
  const int error = ::getaddrinfo(host.c_str(), std::to_string(port).c_str(), &hints, &list);
  if (error != 0) fail("looking for the way to ", host, ": ", ::gai_strerror(error));
  const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> targets(list, ::freeaddrinfo);
  for (const addrinfo* target = targets.get(); target != nullptr; target = target->ai_next) {
    if (auto source = source_towards(*target)) return *source;
  }
  fail("looking for the way to ", host, ": no interface of this host leads there");
}

bool is_loopback(const std::string& address) { return address == "::1" || address.starts_with("127."); }

std::string own_address(const std::string& found, int64_t num_ranks, uint16_t port,
                        const std::function<std::string(int64_t rank)>& address_of) {
  std::string other;
  for (int64_t rank = 0; rank < num_ranks; ++rank) {
    const auto address = address_of(rank);
    if (other.empty() && !is_loopback(address)) other = address;
  }
  return is_loopback(found) && !other.empty() ? address_towards(other, port) : found;
}

}  // namespace vlsi
