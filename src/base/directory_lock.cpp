#include "base/directory_lock.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "base/error.h"

namespace vlsi {

namespace {

/// The lock's descriptor, or -1 when another process holds it.
int lock(const std::filesystem::path& directory, const std::string& action) {
  const int descriptor = ::open((directory / ".lock").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
  if (descriptor < 0) fail(action, " in ", directory.string(), ": ", std::strerror(errno));
  if (::flock(descriptor, LOCK_EX | LOCK_NB) == 0) return descriptor;
  ::close(descriptor);
  return -1;
}

}  // namespace

DirectoryLock::DirectoryLock(const std::filesystem::path& directory, const std::string& action)
    : descriptor_(lock(directory, action)) {
  if (descriptor_ < 0) fail(action, " in ", directory.string(), ": another process is running there");
}

std::unique_ptr<DirectoryLock> DirectoryLock::try_to_lock(const std::filesystem::path& directory, const std::string& action) {
  const int descriptor = lock(directory, action);
  return std::unique_ptr<DirectoryLock>(descriptor < 0 ? nullptr : new DirectoryLock(descriptor));
}

DirectoryLock::~DirectoryLock() {
  ::close(descriptor_);
}

}  // namespace vlsi
