// Server-sent events for any number of clients.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <string>

#include "serve/http.h"

namespace vlsi {

class Events {
 public:
  /// Sends an event to every open stream; `data` must be one line. A stream whose client is slow leaves out all but the
  /// newest.
  void send(const std::string& data);

  /// The answer that is one more stream. This object must outlive it.
  HttpResponse stream();

 private:
  void follow(const SendPiece& send);

  std::mutex mutex_;
  std::condition_variable changed_;
  int64_t count_ = 0;
  std::string newest_;
};

}  // namespace vlsi
