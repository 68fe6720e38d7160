// Several ranks in one process: a thread each, which exchange as processes do.
#pragma once

#include <arpa/inet.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <exception>
#include <functional>
#include <string>
#include <thread>
#include <vector>

#include "ranks/process_ranks.h"

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

/// Returns when the first rank listens on `port`: one that comes too early tries again a second later.
inline void wait_for_first(uint16_t port, const std::function<bool()>& is_running) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = ::htons(port);
  address.sin_addr.s_addr = ::htonl(INADDR_LOOPBACK);
  for (bool connected = false; !connected && is_running();) {
    const int socket = ::socket(AF_INET, SOCK_STREAM, 0);
    connected = ::connect(socket, reinterpret_cast<sockaddr*>(&address), sizeof(address)) == 0;
    ::close(socket);
    if (!connected) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
}

/// Runs `action` as each of `size` ranks. What they threw, as text; empty for a good end.
inline std::vector<std::string> in_ranks(int64_t size, const std::function<void(const ProcessRanks&)>& action) {
  const uint16_t port = free_port();
  std::vector<std::string> errors(size);
  std::vector<std::thread> threads;
  for (int64_t rank = 0; rank < size; ++rank) {
    if (rank == 1) wait_for_first(port, [] { return true; });
    threads.emplace_back([&, rank] {
      try {
        const auto ranks =
            join_ranks({rank, size, rank, "127.0.0.1", port, /*launcher_has_store=*/false, "0"}, at::kCPU);
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
