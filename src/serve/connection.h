// A client's connection that waits for its client no longer than it may, and the bounded set of those that are open.
#pragma once

#include <sys/types.h>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

namespace vlsi {

/// Used by one thread at a time, but for `cut`.
class Connection {
 public:
  using Clock = std::chrono::steady_clock;

  /// Owns the socket. Everything is received within `receive_timeout` from now; `send_timeout` is the time without any
  /// progress in sending.
  Connection(int socket, std::chrono::milliseconds receive_timeout, std::chrono::milliseconds send_timeout);
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;
  ~Connection();

  /// Received bytes, at most `size`; 0 when the client sends no more, -1 when it is too late or the connection is lost.
  ssize_t receive(char* bytes, size_t size);
  /// Bytes sent, at most `size`; -1 when it takes too long or the connection is lost.
  ssize_t send(const char* bytes, size_t size);
  /// The client's address without its port; empty where it has none.
  std::string peer() const;
  /// False when the client has closed its side, or the connection is cut.
  bool is_open() const;
  /// Ends the answer, then receives and throws away what the client still sends, for `patience` at most: a connection
  /// that is closed over unread bytes is reset, and a reset can overtake the answer.
  void finish(std::chrono::milliseconds patience);

  /// Whoever waits for this client stops waiting. From any thread.
  void cut();
  bool is_cut() const { return is_cut_; }
  bool waits_for_client() const { return waits_; }

 private:
  bool wait_for(short events, Clock::time_point until);

  const int socket_;
  const std::chrono::milliseconds send_timeout_;
  Clock::time_point receive_until_;
  bool is_lost_ = false;
  std::atomic<bool> waits_ = true, is_cut_ = false;
};

/// The open connections, in the order in which they came.
class Connections {
 public:
  explicit Connections(size_t max_count) : max_count_(max_count) {}

  /// Takes one more. Where there are enough of them, the oldest one that waits for its client is cut, so that slow
  /// clients keep nobody out; false when there is none.
  bool admit(const std::shared_ptr<Connection>& connection);
  void cut_all();

 private:
  const size_t max_count_;
  std::mutex mutex_;
  std::vector<std::weak_ptr<Connection>> open_;
};

}  // namespace vlsi
