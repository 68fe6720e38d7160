#include "serve/connection.h"

#include <netdb.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

namespace vlsi {

Connection::Connection(int socket, std::chrono::milliseconds receive_timeout, std::chrono::milliseconds send_timeout)
    : socket_(socket), send_timeout_(send_timeout), receive_until_(Clock::now() + receive_timeout) {}

Connection::~Connection() { ::close(socket_); }

bool Connection::wait_for(short events, Clock::time_point until) {
  waits_ = true;
  pollfd polled{socket_, events, 0};
  int num_ready;
  do {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(until - Clock::now()).count();
    num_ready = is_lost_ ? 0 : ::poll(&polled, 1, static_cast<int>(std::max<int64_t>(left, 0)));
  } while (num_ready < 0 && errno == EINTR);
  waits_ = false;
  return num_ready > 0;
}

ssize_t Connection::receive(char* bytes, size_t size) {
  const ssize_t count = wait_for(POLLIN, receive_until_) ? ::recv(socket_, bytes, size, 0) : -1;
  if (count < 0) is_lost_ = true;
  return count;
}

ssize_t Connection::send(const char* bytes, size_t size) {
  const bool is_ready = wait_for(POLLOUT, Clock::now() + send_timeout_);
  const ssize_t count = is_ready ? ::send(socket_, bytes, size, MSG_NOSIGNAL | MSG_DONTWAIT) : -1;
  if (count < 0) is_lost_ = true;
  return count;
}

std::string Connection::peer() const {
  sockaddr_storage address{};
  socklen_t size = sizeof(address);
  char name[NI_MAXHOST];
  if (::getpeername(socket_, reinterpret_cast<sockaddr*>(&address), &size) != 0 ||
      ::getnameinfo(reinterpret_cast<sockaddr*>(&address), size, name, sizeof(name), nullptr, 0, NI_NUMERICHOST) != 0)
    return "";
  return name;
}

bool Connection::is_open() const {
  pollfd polled{socket_, POLLRDHUP, 0};
  return !is_lost_ && ::poll(&polled, 1, 0) == 0;
}

void Connection::finish(std::chrono::milliseconds patience) {
  ::shutdown(socket_, SHUT_WR);
  receive_until_ = Clock::now() + patience;
  char bytes[4096];
  while (receive(bytes, sizeof(bytes)) > 0) continue;
}

void Connection::cut() {
  is_cut_ = true;
  ::shutdown(socket_, SHUT_RDWR);
}

bool Connections::admit(const std::shared_ptr<Connection>& connection) {
  const std::lock_guard lock(mutex_);
  std::erase_if(open_, [](const auto& item) {
    const auto other = item.lock();
    return !other || other->is_cut();
  });
  if (open_.size() >= max_count_) {
    const auto slow = std::find_if(open_.begin(), open_.end(), [](const auto& item) {
      const auto other = item.lock();
      return !other || other->waits_for_client();
    });
    if (slow == open_.end()) return false;
    if (const auto other = slow->lock()) other->cut();
    open_.erase(slow);
  }
  open_.push_back(connection);
  return true;
}

void Connections::cut_all() {
  const std::lock_guard lock(mutex_);
  for (const auto& item : open_) {
    if (const auto connection = item.lock()) connection->cut();
  }
}

}  // namespace vlsi
