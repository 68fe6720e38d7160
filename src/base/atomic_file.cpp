// Files and directories that appear whole or not at all.
#include "base/atomic_file.h"

#include <c10/util/Exception.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <charconv>
#include <optional>
#include <string>
#include <system_error>
#include <vector>

#include "base/error.h"

namespace vlsi {
namespace {

namespace fs = std::filesystem;
constexpr const char* kTemporaryMark = ".tmp-";

[[noreturn]] void fail_to_write(const fs::path& path, std::error_code error) {
  fail("write ", path.string(), ": ", error.message());
}

[[noreturn]] void fail_to_write(const fs::path& path, int error) {
  fail_to_write(path, std::error_code(error, std::generic_category()));
}

/// How many temporary names this process has given out.
std::atomic<uint64_t>& num_temporaries() {
  static std::atomic<uint64_t> count{0};
  return count;
}

/// A name beside `path` that no other process or thread is given.
fs::path temporary_beside(const fs::path& path) {
  fs::path result = path;
  result += concat(kTemporaryMark, ::getpid(), "-", num_temporaries()++);
  return result;
}

/// Who writes what under a temporary name, and which of that process's names it is.
struct Temporary {
  std::string target;  // the name that it gets in the end
  pid_t process = 0;
  uint64_t number = 0;
};

/// What a name of temporary_beside says; nothing for another.
std::optional<Temporary> parse_temporary(const fs::path& path) {
  const auto name = path.filename().string();
  const auto mark = name.rfind(kTemporaryMark);
  if (mark == name.npos) return std::nullopt;
  Temporary result{.target = name.substr(0, mark)};
  const char* const end = name.data() + name.size();
  const auto process =
      std::from_chars(name.data() + mark + std::string_view(kTemporaryMark).size(), end, result.process);
  if (process.ec != std::errc() || result.process <= 0 || process.ptr == end || *process.ptr != '-')
    return std::nullopt;
  const auto number = std::from_chars(process.ptr + 1, end, result.number);
  return number.ec == std::errc() && number.ptr == end ? std::optional(result) : std::nullopt;
}

/// Whether its process may still be writing. Another one may have been given an ended one's number.
bool may_be_in_use(const Temporary& temporary) {
  if (temporary.process == ::getpid()) return temporary.number < num_temporaries();
  return ::kill(temporary.process, 0) == 0 || errno == EPERM;
}

/// Removes what ended processes left half-written in `directory`: of one target, or of all where it is empty.
void remove_leftovers(const fs::path& directory, const std::string& target) {
  std::error_code ignored;
  std::vector<fs::path> leftovers;
  for (const auto& entry : fs::directory_iterator(directory, ignored)) {
    const auto temporary = parse_temporary(entry.path());
    const bool is_wanted = temporary && (target.empty() || temporary->target == target);
    if (is_wanted && !may_be_in_use(*temporary)) leftovers.push_back(entry.path());
  }
  for (const auto& path : leftovers) fs::remove_all(path, ignored);
}

/// Where a file is written, symbolic links followed, or into which open file of this process they lead (/dev/stdout,
/// or /dev/fd/63, which a shell makes of `>(...)`).
struct Destination {
  fs::path path;
  int descriptor = -1;
};

Destination follow_links(const fs::path& path) {
  constexpr int kMostLinks = 40;
  std::error_code ignored;
  const auto open_files = fs::canonical("/proc/self/fd", ignored);
  Destination result{path};
  for (int links = 0; fs::is_symlink(result.path, ignored); ++links) {
    if (links == kMostLinks) fail_to_write(path, ELOOP);
    const auto parent = result.path.parent_path();
    if (const auto folder = fs::canonical(parent.empty() ? "." : parent, ignored);
        !folder.empty() && folder == open_files) {
      const auto number = result.path.filename().string();
      std::from_chars(number.data(), number.data() + number.size(), result.descriptor);
      return result;
    }
    result.path = parent / fs::read_symlink(result.path, ignored);
  }
  return result;
}

/// Flushes a file or directory to the disk; failures name `shown`.
void sync(const fs::path& path, const fs::path& shown) {
  const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor < 0) fail_to_write(shown, errno);
  const int error = ::fsync(descriptor) == 0 ? 0 : errno;
  ::close(descriptor);
  // Some file systems cannot sync a directory and say so with EINVAL; there is nothing more to ask of them.
  if (error != 0 && error != EINVAL) fail_to_write(shown, error);
}

void sync_parent(const fs::path& path) {
  const fs::path parent = path.parent_path();
  sync(parent.empty() ? "." : parent, path);
}

/// Swaps the directories `made` and `target`; where the file system cannot, moves `target` aside to a third name.
/// Returns where the earlier content is now.
fs::path exchange(const fs::path& made, const fs::path& target) {
  if (::renameat2(AT_FDCWD, made.c_str(), AT_FDCWD, target.c_str(), RENAME_EXCHANGE) == 0) return made;
  if (errno != EINVAL && errno != ENOSYS) fail_to_write(target, errno);
  const fs::path aside = temporary_beside(target);
  if (::rename(target.c_str(), aside.c_str()) != 0) fail_to_write(target, errno);
  if (::rename(made.c_str(), target.c_str()) != 0) {
    const int error = errno;
    ::rename(aside.c_str(), target.c_str());
    fail_to_write(target, error);
  }
  return aside;
}

/// Absolute, without symbolic links or a trailing slash, so that the temporary lies in the folder of the real target.
fs::path resolved(const fs::path& target) {
  std::error_code error;
  fs::path result = fs::absolute(target, error);
  if (!error) result = fs::weakly_canonical(result, error);
  if (error) fail_to_write(target, error);
  if (!result.has_filename()) result = result.parent_path();
  if (!result.has_filename())
    fail("write ", target.string(), ": is the root, expected a directory that can be replaced");
  return result;
}

}  // namespace

AtomicFile::AtomicFile(fs::path path) : path_(std::move(path)) {
  const auto destination = follow_links(path_);
  target_ = destination.path;
  std::error_code ignored;
  const auto status = fs::status(target_, ignored);
  if (!path_.has_filename() || fs::is_directory(status)) fail_to_write(path_, EISDIR);
  if (destination.descriptor >= 0) {
    descriptor_ = ::fcntl(destination.descriptor, F_DUPFD_CLOEXEC, 0);
  } else if (fs::exists(status) && !fs::is_regular_file(status)) {
    descriptor_ = ::open(target_.c_str(), O_WRONLY | O_NOCTTY | O_CLOEXEC);
  } else {
    // An ended process with this one's number may have left a file of the same name.
    do {
      temporary_ = temporary_beside(target_);
      descriptor_ = ::open(temporary_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    } while (descriptor_ < 0 && errno == EEXIST);
  }
  if (descriptor_ < 0) fail_to_write(path_, errno);
}

AtomicFile::~AtomicFile() {
  if (descriptor_ >= 0) ::close(descriptor_);
  if (!temporary_.empty()) ::unlink(temporary_.c_str());
}

void AtomicFile::write(std::span<const std::byte> bytes) {
  TORCH_CHECK(descriptor_ >= 0, "write after commit to ", path_.string());
  while (!bytes.empty()) {
    const ssize_t written = ::write(descriptor_, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) fail_to_write(path_, errno);
    bytes = bytes.subspan(static_cast<size_t>(written));
  }
}

void AtomicFile::commit() {
  TORCH_CHECK(descriptor_ >= 0, "second commit of ", path_.string());
  const bool is_straight = temporary_.empty();
  if (!is_straight && ::fsync(descriptor_) != 0) fail_to_write(path_, errno);
  const int closed = ::close(descriptor_);
  descriptor_ = -1;
  if (closed != 0) fail_to_write(path_, errno);
  if (is_straight) return;
  if (::rename(temporary_.c_str(), target_.c_str()) != 0) fail_to_write(path_, errno);
  temporary_.clear();
  sync_parent(target_);
}

void write_file(const fs::path& path, std::string_view text) {
  AtomicFile file(path);
  file.write(text);
  file.commit();
}

AtomicDirectory::AtomicDirectory(fs::path target) : target_(resolved(target)) {
  std::error_code error;
  const auto status = fs::status(target_, error);
  if (fs::exists(status) && !fs::is_directory(status)) {
    fail("write ", target_.string(), ": is a file, expected a directory or nothing");
  }
  make_directories(target_.parent_path());
  remove_leftovers(target_.parent_path(), target_.filename().string());
  bool created = false;
  do {
    temporary_ = temporary_beside(target_);
    created = fs::create_directory(temporary_, error);
  } while (!created && !error);
  if (error) fail_to_write(target_, error);
}

AtomicDirectory::~AtomicDirectory() {
  if (committed_) return;
  std::error_code ignored;
  fs::remove_all(temporary_, ignored);
}

void AtomicDirectory::commit() {
  TORCH_CHECK(!committed_, "second commit of ", target_.string());
  std::error_code error;
  for (fs::recursive_directory_iterator entry(temporary_, error), end; !error && entry != end; entry.increment(error)) {
    const auto type = entry->symlink_status(error).type();
    if (type == fs::file_type::regular || type == fs::file_type::directory) sync(entry->path(), target_);
  }
  if (error) fail_to_write(target_, error);
  sync(temporary_, target_);
  fs::path earlier;
  if (::rename(temporary_.c_str(), target_.c_str()) != 0) {
    if (errno != ENOTEMPTY && errno != EEXIST) fail_to_write(target_, errno);
    earlier = exchange(temporary_, target_);
  }
  committed_ = true;
  sync_parent(target_);
  // The new content is in place; what cannot be removed of the earlier is only litter beside it.
  if (!earlier.empty()) fs::remove_all(earlier, error);
}

void remove_directory(const fs::path& path) {
  const auto aside = temporary_beside(path);
  std::error_code error;
  fs::rename(path, aside, error);
  if (!error) fs::remove_all(aside, error);
  if (error) fail("remove ", path.string(), ": ", error.message());
}

bool is_temporary(const fs::path& path) { return parse_temporary(path).has_value(); }

void remove_leftovers(const fs::path& directory) { remove_leftovers(directory, /*target=*/""); }

void make_directories(const fs::path& path) {
  if (path.empty()) return;
  std::error_code error;
  fs::create_directories(path, error);
  if (error) fail("create folder ", path.string(), ": ", error.message());
  if (!fs::is_directory(path, error)) fail("create folder ", path.string(), ": is a file, expected a folder");
}

void check_writable(const fs::path& path) {
  if (::faccessat(AT_FDCWD, path.c_str(), W_OK | X_OK, AT_EACCESS) != 0) {
    fail("write into ", path.string(), ": ", std::error_code(errno, std::generic_category()).message());
  }
}

}  // namespace vlsi
