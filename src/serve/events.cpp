#include "serve/events.h"

#include <chrono>

namespace vlsi {

void Events::send(const std::string& data) {
  {
    const std::lock_guard lock(mutex_);
    ++count_;
    newest_ = data;
  }
  changed_.notify_all();
}

HttpResponse Events::stream() {
  return {.content_type = "text/event-stream", .stream = [this](const SendPiece& send) { follow(send); }};
}

void Events::follow(const SendPiece& send) {
  std::unique_lock lock(mutex_);
  int64_t seen = count_;
  for (std::string piece = "retry: 2000\n\n";;) {
    lock.unlock();
    if (!send(piece)) return;
    lock.lock();
    // Without events, looks now and then whether the client still listens.
    const bool is_new = changed_.wait_for(lock, std::chrono::milliseconds(250), [&] { return count_ != seen; });
    piece = is_new ? "data: " + newest_ + "\n\n" : "";
    seen = count_;
  }
}

}  // namespace vlsi
