// Several ranks in one process: a thread each, which exchange as processes do.
#pragma once

#include <arpa/inet.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <functional>
#include <string>
#include <thread>
#include <vector>

#include "ranks/process_ranks.h"
#include "tests/support/two_hosts.h"

namespace vlsi {

/// A port of this machine that nothing listens on.
inline uint16_t free_port() {
  const int socket = ::socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = ::htonl(INADDR_LOOPBACK);
  ::bind(socket, reinterpret_cast<sockaddr*>(&address), sizeof(address));
  socklen_t size = sizeof(address);
  ::getsockname(socket, reinterpret_cast<sockaddr*>(&address), &size);
  ::close(socket);
  return ::ntohs(address.sin_port);
}

/// Returns when the first rank listens there: one that comes too early tries again a second later.
inline void wait_for_first(const char* address_text, uint16_t port, const std::function<bool()>& is_running) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = ::htons(port);
  ::inet_pton(AF_INET, address_text, &address.sin_addr);
  for (bool connected = false; !connected && is_running();) {
    const int socket = ::socket(AF_INET, SOCK_STREAM, 0);
    connected = ::connect(socket, reinterpret_cast<sockaddr*>(&address), sizeof(address)) == 0;
    ::close(socket);
    if (!connected) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
}

/// The hosts that in_ranks deals its ranks to in turn, where VLSI_TEST_HOSTS is set; null where it is not. Without
/// network namespaces it prints why, and the ranks stay on this host.
inline const TwoHosts* hosts_of_ranks() {
  if (std::getenv("VLSI_TEST_HOSTS") == nullptr) return nullptr;
  static const TwoHosts hosts;
  if (!hosts.trouble()) return &hosts;
  std::printf("skipped: %s\n", hosts.trouble()->c_str());
  return nullptr;
}

/// Runs `action` as each of `size` ranks. What they threw, as text; empty for a good end.
inline std::vector<std::string> in_ranks(int64_t size, const std::function<void(const ProcessRanks&)>& action) {
  const auto* hosts = hosts_of_ranks();
  const char* address = hosts == nullptr ? "127.0.0.1" : TwoHosts::kAddresses[0];
  const uint16_t port = free_port();
  std::vector<std::string> errors(size);
  std::vector<std::thread> threads;
  for (int64_t rank = 0; rank < size; ++rank) {
    threads.emplace_back([&, rank] {
      if (hosts != nullptr) (*hosts)[rank % 2].enter();
      if (rank > 0) wait_for_first(address, port, [] { return true; });
      try {
        const auto ranks = join_ranks({rank, size, rank, address, port, /*launcher_has_store=*/false, "0"}, at::kCPU);
        try {
          action(*ranks);
          ranks->finish();
        } catch (const std::exception& error) {
          ranks->report_failure(error.what());
          throw;
        }
      } catch (const std::exception& error) {
        errors[rank] = error.what();
      }
    });
  }
  for (auto& thread : threads) thread.join();
  return errors;
}

}  // namespace vlsi
