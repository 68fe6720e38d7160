// A server on this machine that says what a test tells it to, well-formed or not.
#pragma once

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "base/json.h"

namespace vlsi::judge_test {

struct Received {
  std::string head, body;
};

inline std::string http(int status, const std::string& body, const std::string& headers = "") {
  return concat("HTTP/1.1 ", status, " x\r\nContent-Length: ", body.size(), "\r\nConnection: close\r\n", headers,
                "\r\n", body);
}

/// A completion whose text is this.
inline std::string completion(const std::string& text) {
  return Json{{"choices", {{{"message", {{"role", "assistant"}, {"content", text}}}}}}}.dump();
}
inline std::string says(const std::string& text) { return http(200, completion(text)); }

class ScriptedServer {
 public:
  /// The bytes that answer request `number`, from 0; none: the connection is closed without any.
  using Script = std::function<std::string(const Received& request, size_t number)>;

  explicit ScriptedServer(Script script) : script_(std::move(script)), socket_(::socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof(address);
    EXPECT_EQ(::bind(socket_, reinterpret_cast<sockaddr*>(&address), size), 0);
    EXPECT_EQ(::listen(socket_, 64), 0);
    ::getsockname(socket_, reinterpret_cast<sockaddr*>(&address), &size);
    port_ = ntohs(address.sin_port);
    acceptor_ = std::thread([this] { accept(); });
  }
  /// Each request gets the next of these; the last one stays.
  explicit ScriptedServer(std::vector<std::string> replies)
      : ScriptedServer([replies = std::move(replies)](const Received&, size_t number) {
          return replies[std::min(number, replies.size() - 1)];
        }) {}
  ScriptedServer(const ScriptedServer&) = delete;
  ScriptedServer& operator=(const ScriptedServer&) = delete;
  ~ScriptedServer() {
    ending_ = true;
    ::shutdown(socket_, SHUT_RDWR);
    acceptor_.join();
    for (auto& thread : threads_) thread.join();
    ::close(socket_);
  }

  std::string url(const std::string& path = "/v1") const { return concat("http://127.0.0.1:", port_, path); }
  std::vector<Received> received() const {
    const std::lock_guard lock(mutex_);
    return received_;
  }
  size_t num_received() const { return received().size(); }
  Json body(size_t number) const { return Json::parse(received().at(number).body); }
  /// Requests that were open at one time.
  int64_t most_at_once() const { return most_at_once_; }

 private:
  void accept() {
    while (!ending_) {
      const int connection = ::accept(socket_, nullptr, nullptr);
      if (connection >= 0) threads_.emplace_back([this, connection] { serve(connection); });
    }
  }

  void serve(int connection) {
    const timeval patience{10, 0};
    ::setsockopt(connection, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
    const auto request = read(connection);
    size_t number = 0;
    {
      const std::lock_guard lock(mutex_);
      number = received_.size();
      received_.push_back(request);
      most_at_once_ = std::max<int64_t>(most_at_once_, ++num_open_);
    }
    const auto reply = script_(request, number);
    --num_open_;
    if (!reply.empty()) static_cast<void>(::send(connection, reply.data(), reply.size(), MSG_NOSIGNAL) > 0);
    ::close(connection);
  }

  static Received read(int connection) {
    std::string text;
    size_t end = text.npos, length = 0;
    char bytes[4096];
    while (end == text.npos || text.size() < end + 4 + length) {
      const ssize_t count = ::recv(connection, bytes, sizeof(bytes), 0);
      if (count <= 0) break;
      text.append(bytes, static_cast<size_t>(count));
      if (end != text.npos) continue;
      end = text.find("\r\n\r\n");
      const size_t header = text.find("Content-Length: ");
      if (end != text.npos && header < end) length = std::stoul(text.substr(header + 16));
    }
    if (end == text.npos) return {text, ""};
    return {text.substr(0, end), text.substr(end + 4)};
  }

  const Script script_;
  const int socket_;
  int port_ = 0;
  std::atomic<bool> ending_ = false;
  std::atomic<int64_t> num_open_ = 0, most_at_once_ = 0;
  mutable std::mutex mutex_;
  std::vector<Received> received_;
  std::vector<std::thread> threads_;
  std::thread acceptor_;
};

}  // namespace vlsi::judge_test
