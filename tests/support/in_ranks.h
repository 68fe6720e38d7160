// Several ranks in one process: a thread each, which exchange as processes do.
#pragma once

#include <arpa/inet.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
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

/// A port that nothing listens at and no other test program is given: below those that the system gives to connections,
/// and locked until this program ends.
inline uint16_t free_port() {
  constexpr int kFirst = 20'000, kCount = 12'000;
  static const int file = ::open((testing::TempDir() + "vlsi_test_ports").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666);
  static std::atomic<int> next = ::getpid();
  for (;;) {
    const int port = kFirst + next++ % kCount;
    struct flock mine {};
    mine.l_type = F_WRLCK;
    mine.l_whence = SEEK_SET;
    mine.l_start = port;
    mine.l_len = 1;
    if (file >= 0 && ::fcntl(file, F_OFD_SETLK, &mine) != 0) continue;
    const int socket = ::socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = ::htons(static_cast<uint16_t>(port));
    const bool is_free = ::bind(socket, reinterpret_cast<sockaddr*>(&address), sizeof(address)) == 0;
    ::close(socket);
    if (is_free) return static_cast<uint16_t>(port);
  }
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
