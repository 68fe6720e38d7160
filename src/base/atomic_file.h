// Files and directories that appear whole or not at all: temporary name, sync, rename.
#pragma once

#include <cstddef>
#include <filesystem>
#include <span>
#include <string_view>

namespace vlsi {

/// Writes to `path` + a temporary suffix beside it; `commit` syncs and renames it over `path`. Without a commit the
/// destructor removes the temporary and an earlier `path` stays as it was. A symbolic link is followed, and stays. What
/// is no file (a device, a pipe, an open file of this process as /dev/stdout) is written straight to. Every failure
/// (a folder in the place of a file, which is known at once; unwritable folder, full disk) is an Error that names
/// `path`.
class AtomicFile {
 public:
  explicit AtomicFile(std::filesystem::path path);
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;
  ~AtomicFile();

  void write(std::span<const std::byte> bytes);
  void write(std::string_view text) { write(std::as_bytes(std::span(text))); }
  void commit();
  /// Whether it is written straight to, and `commit` has nothing to rename.
  bool is_direct() const { return temporary_.empty(); }

 private:
  std::filesystem::path path_, target_, temporary_;  // as named; with links followed; empty where written straight to
  int descriptor_ = -1;
};

/// Writes `text` to `path` as AtomicFile does.
void write_file(const std::filesystem::path& path, std::string_view text);

/// A directory filled under a temporary name beside `target`; `commit` syncs every file in it and renames it to
/// `target`, replacing an earlier one. Without a commit the destructor removes it.
class AtomicDirectory {
 public:
  /// Creates the parents of `target` and the temporary directory; removes temporary ones of the same target that killed
  /// processes of this machine left. No process of another machine may be writing the same target.
  explicit AtomicDirectory(std::filesystem::path target);
  AtomicDirectory(const AtomicDirectory&) = delete;
  AtomicDirectory& operator=(const AtomicDirectory&) = delete;
  ~AtomicDirectory();

  /// Where to write the content until `commit`.
  const std::filesystem::path& path() const { return temporary_; }
  void commit();

 private:
  std::filesystem::path target_, temporary_;
  bool committed_ = false;
};

/// Removes the directory `path`, which has a temporary name from its first missing file on: what a kill leaves of it is
/// a leftover.
void remove_directory(const std::filesystem::path& path);

/// Whether an AtomicFile or AtomicDirectory writes under such a name until it commits.
bool is_temporary(const std::filesystem::path& path);

/// Removes what killed processes left half-written in `directory`. What a running process of this machine may be
/// writing stays; no process of another machine may be writing there.
void remove_leftovers(const std::filesystem::path& directory);

/// Creates `path` and its parents if missing; Error when that is impossible or `path` is a file.
void make_directories(const std::filesystem::path& path);

/// Error when this process may not make files in the folder `path`: to be told before the work whose result goes there.
void check_writable(const std::filesystem::path& path);

}  // namespace vlsi
