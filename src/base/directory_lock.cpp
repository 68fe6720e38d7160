#include "base/directory_lock.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "base/error.h"

namespace vlsi {

DirectoryLock::DirectoryLock(const std::filesystem::path& directory, const std::string& action) {
  descriptor_ = ::open((directory / ".lock").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
  if (descriptor_ < 0) fail(action, " in ", directory.string(), ": ", std::strerror(errno));
  if (::flock(descriptor_, LOCK_EX | LOCK_NB) == 0) return;
  ::close(descriptor_);
  fail(action, " in ", directory.string(), ": another process is running there");
}

DirectoryLock::~DirectoryLock() {
  ::close(descriptor_);
}

}  // namespace vlsi
