// A folder in which one process at a time may work.
#pragma once

#include <filesystem>
#include <memory>
#include <string>

namespace vlsi {

/// Holds the lock of a folder, the file `.lock` in it, until destruction, or until the process ends in whatever way.
/// The file holds the number of the process that locked it last, and nothing when that one released it.
class DirectoryLock {
 public:
  static constexpr const char* kFile = ".lock";  // in the directory

  /// Error "`action` in DIRECTORY: another process (its number is 123) is running there" when it is held; without the
  /// number where the file does not have it.
  DirectoryLock(const std::filesystem::path& directory, const std::string& action);
  /// Null when it is held. Error "`action` in DIRECTORY: .." when the folder cannot be locked at all.
  static std::unique_ptr<DirectoryLock> try_to_lock(const std::filesystem::path& directory, const std::string& action);
  DirectoryLock(const DirectoryLock&) = delete;
  DirectoryLock& operator=(const DirectoryLock&) = delete;
  ~DirectoryLock();

 private:
  explicit DirectoryLock(int descriptor) : descriptor_(descriptor) {}

  int descriptor_ = -1;
};

}  // namespace vlsi
