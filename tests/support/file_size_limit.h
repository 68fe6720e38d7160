// A full disk, as far as writing files goes.
#pragma once

#include <signal.h>
#include <sys/resource.h>

#include <cstddef>

namespace vlsi {

/// Limits the size of files that this process writes until the end of the scope.
class FileSizeLimit {
 public:
  explicit FileSizeLimit(size_t bytes) {
    earlier_handler_ = ::signal(SIGXFSZ, SIG_IGN);
    ::getrlimit(RLIMIT_FSIZE, &earlier_);
    const rlimit limit{bytes, earlier_.rlim_max};
    ::setrlimit(RLIMIT_FSIZE, &limit);
  }
  FileSizeLimit(const FileSizeLimit&) = delete;
  FileSizeLimit& operator=(const FileSizeLimit&) = delete;
  ~FileSizeLimit() {
    ::setrlimit(RLIMIT_FSIZE, &earlier_);
    ::signal(SIGXFSZ, earlier_handler_);
  }

 private:
  rlimit earlier_{};
  void (*earlier_handler_)(int) = nullptr;
};

}  // namespace vlsi
