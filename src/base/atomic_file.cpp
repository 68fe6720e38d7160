#include "base/atomic_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstring>

#include "base/error.h"

namespace vlsi {
namespace {

namespace fs = std::filesystem;

/// A name beside `target` that no other writer of this or another process uses; hidden, so that readers pass it over.
fs::path temporary_beside(const fs::path& target) {
  static std::atomic<uint64_t> counter = 0;
  const auto name = concat('.', target.filename().string(), ".tmp-", ::getpid(), '-', counter++);
  return target.parent_path() / name;
}

fs::path without_trailing_slash(fs::path path) { return path.has_filename() ? path : path.parent_path(); }

void sync_path(const fs::path& path, const fs::path& told) {
  const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor < 0) fail("writing ", told.string(), ": ", std::strerror(errno));
  const int result = ::fsync(descriptor);
  const int error = errno;
  ::close(descriptor);
  // Some file systems cannot sync a folder; the rename is still atomic there.
  if (result != 0 && error != EINVAL) fail("writing ", told.string(), ": ", std::strerror(error));
}

fs::path parent_of(const fs::path& path) { return path.has_parent_path() ? path.parent_path() : fs::path("."); }

}  // namespace

AtomicFile::AtomicFile(fs::path path) : path_(std::move(path)), temporary_(temporary_beside(path_)) {
  descriptor_ = ::open(temporary_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
  if (descriptor_ < 0) fail("writing ", path_.string(), ": ", std::strerror(errno));
}

AtomicFile::~AtomicFile() {
  if (descriptor_ < 0) return;
  ::close(descriptor_);
  ::unlink(temporary_.c_str());
}

void AtomicFile::write(std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const ssize_t count = ::write(descriptor_, bytes.data(), bytes.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) fail("writing ", path_.string(), ": ", std::strerror(errno));
    bytes = bytes.subspan(static_cast<size_t>(count));
  }
}

void AtomicFile::commit() {
  if (::fsync(descriptor_) != 0) fail("writing ", path_.string(), ": ", std::strerror(errno));
  if (::rename(temporary_.c_str(), path_.c_str()) != 0) fail("writing ", path_.string(), ": ", std::strerror(errno));
  ::close(descriptor_);
  descriptor_ = -1;
  sync_path(parent_of(path_), path_);
}

void write_file(const fs::path& path, std::string_view text) {
  AtomicFile file(path);
  file.write(text);
  file.commit();
}

void make_directories(const fs::path& path) {
  std::error_code error;
  fs::create_directories(path, error);
  if (error) fail("creating the folder ", path.string(), ": ", error.message());
  if (!fs::is_directory(path)) fail("creating the folder ", path.string(), ": a file of that name is there");
}

AtomicDirectory::AtomicDirectory(fs::path target)
    : target_(without_trailing_slash(std::move(target))), temporary_(temporary_beside(target_)) {
  make_directories(parent_of(target_));
  if (fs::exists(target_) && !fs::is_directory(target_)) {
    fail("creating the folder ", target_.string(), ": a file of that name is there");
  }
  make_directories(temporary_);
}

AtomicDirectory::~AtomicDirectory() {
  std::error_code ignored;
  if (!committed_) fs::remove_all(temporary_, ignored);
}

void AtomicDirectory::commit() {
  for (const auto& entry : fs::recursive_directory_iterator(temporary_)) sync_path(entry.path(), target_);
  const fs::path earlier = temporary_beside(target_);
  std::error_code error;
  const bool replaces = fs::exists(target_);
  if (replaces) fs::rename(target_, earlier, error);
  if (!error) fs::rename(temporary_, target_, error);
  if (error) fail("writing the folder ", target_.string(), ": ", error.message());
  committed_ = true;
  sync_path(parent_of(target_), target_);
  if (replaces) fs::remove_all(earlier, error);
}

}  // namespace vlsi
