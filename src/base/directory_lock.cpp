#include "base/directory_lock.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cstring>

#include "base/error.h"

namespace vlsi {

namespace {

/// The lock's descriptor, or -1 when another process holds it.
int lock(const std::filesystem::path& directory, const std::string& action) {
  const int descriptor = ::open((directory / DirectoryLock::kFile).c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
  if (descriptor < 0) fail(action, " in ", directory.string(), ": ", std::strerror(errno));
  if (::flock(descriptor, LOCK_EX | LOCK_NB) != 0) {
    ::close(descriptor);
    return -1;
  }
  // For people alone: on a full disk the lock holds without it.
  const auto number = concat(::getpid(), '\n');
  if (::ftruncate(descriptor, 0) == 0) static_cast<void>(::pwrite(descriptor, number.data(), number.size(), 0) == 0);
  return descriptor;
}

/// " (its number is 123)" for the process that the lock's file names, or nothing.
std::string holder(const std::filesystem::path& directory) {
  const int descriptor = ::open((directory / DirectoryLock::kFile).c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor < 0) return "";
  char text[32];
  const ssize_t size = ::read(descriptor, text, sizeof(text));
  ::close(descriptor);
  int64_t number = 0;
  if (size <= 0 || std::from_chars(text, text + size, number).ec != std::errc() || number <= 0) return "";
  return concat(" (its number is ", number, ')');
}

}  // namespace

DirectoryLock::DirectoryLock(const std::filesystem::path& directory, const std::string& action)
    : descriptor_(lock(directory, action)) {
  if (descriptor_ < 0)
    fail(action, " in ", directory.string(), ": another process", holder(directory), " is running there");
}

std::unique_ptr<DirectoryLock> DirectoryLock::try_to_lock(const std::filesystem::path& directory,
                                                          const std::string& action) {
  const int descriptor = lock(directory, action);
  return std::unique_ptr<DirectoryLock>(descriptor < 0 ? nullptr : new DirectoryLock(descriptor));
}

DirectoryLock::~DirectoryLock() {
  static_cast<void>(::ftruncate(descriptor_, 0) == 0);
  ::close(descriptor_);
}

}  // namespace vlsi
