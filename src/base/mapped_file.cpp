// Opening and mapping a file read-only.
#include "base/mapped_file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <system_error>

#include "base/error.h"
#include "base/quoted.h"

namespace vlsi {
namespace {

/// Pages of the page cache that Linux maps together, aligned in memory (its default fault_around_bytes).
constexpr size_t kMappedAround = size_t{64} << 10;
constexpr std::string_view kLfsPointer = "version https://git-lfs.github.com/spec/";

[[noreturn]] void fail_to_open(const std::filesystem::path& path, int error) {
  fail("open ", printable(path.string()), ": ", std::generic_category().message(error));
}

void advise(std::span<const std::byte> bytes, int advice) {
  const auto page = static_cast<uintptr_t>(::sysconf(_SC_PAGESIZE));
  const auto begin = reinterpret_cast<uintptr_t>(bytes.data()) / page * page;
  const auto end = reinterpret_cast<uintptr_t>(bytes.data() + bytes.size());
  ::madvise(reinterpret_cast<void*>(begin), end - begin, advice);
}

/// Closes a descriptor at the end of its scope.
struct Descriptor {
  int value;
  ~Descriptor() {
    if (value >= 0) ::close(value);
  }
};

}  // namespace

std::shared_ptr<const MappedFile> MappedFile::open(const std::filesystem::path& path) {
  // Non-blocking, so that a pipe without a writer is refused below instead of waited for.
  const Descriptor file{::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK)};
  if (file.value < 0) fail_to_open(path, errno);
  struct stat status {};
  if (::fstat(file.value, &status) != 0) fail_to_open(path, errno);
  if (!S_ISREG(status.st_mode)) {
    fail("open ", printable(path.string()), ": is ", S_ISDIR(status.st_mode) ? "a directory" : "not a regular file",
         ", expected a file");
  }
  const auto size = static_cast<size_t>(status.st_size);
  // An empty mapping is an error to the system.
  if (size == 0) return std::shared_ptr<const MappedFile>(new MappedFile(path, nullptr, 0));
  void* data = ::mmap(nullptr, size, PROT_READ, MAP_SHARED, file.value, 0);
  if (data == MAP_FAILED) fail_to_open(path, errno);
  std::shared_ptr<const MappedFile> mapped(new MappedFile(path, static_cast<const std::byte*>(data), size));
  if (mapped->text().starts_with(kLfsPointer)) {
    fail("open ", printable(path.string()),
         ": is a Git LFS pointer and not the file that it stands for, which `git lfs pull` fetches");
  }
  return mapped;
}

MappedFile::MappedFile(std::filesystem::path path, const std::byte* data, size_t size)
    : path_(std::move(path)), data_(data), size_(size) {}

MappedFile::~MappedFile() {
  if (data_ != nullptr) ::munmap(const_cast<std::byte*>(data_), size_);
}

// All of these are hints: where the system does not take one, pages are read when they are touched, and stay.

void read_ahead(std::span<const std::byte> bytes) { advise(bytes, MADV_WILLNEED); }

void read_now(std::span<const std::byte> bytes) {
  if (bytes.empty()) return;
  advise(bytes, MADV_WILLNEED);  // in large requests, which the touching of single pages would not make
  // A touch maps the pages around it that are there, in a sixth of the time that MADV_POPULATE_READ takes for each of
  // them; the last one of a window comes last from the disk.
  const auto touch = [&](size_t at) { static_cast<void>(*static_cast<const volatile std::byte*>(&bytes[at])); };
  const size_t before = reinterpret_cast<uintptr_t>(bytes.data()) % kMappedAround;
  for (size_t at = kMappedAround - 1 - before; at < bytes.size(); at += kMappedAround) touch(at);
  touch(bytes.size() - 1);
}

void release(std::span<const std::byte> bytes) { advise(bytes, MADV_DONTNEED); }

}  // namespace vlsi
