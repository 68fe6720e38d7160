// A read-only memory-mapped file.
#pragma once

#include <cstddef>
#include <filesystem>
#include <memory>
#include <span>
#include <string_view>

namespace vlsi {

/// The bytes of a file, mapped read-only; costs page cache, no anonymous memory. Shared by everything that views it.
class MappedFile {
 public:
  /// Throws Error when the path is missing, unreadable, not a regular file, or a Git LFS pointer. An empty file has no
  /// bytes.
  static std::shared_ptr<const MappedFile> open(const std::filesystem::path& path);

  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;
  ~MappedFile();

  const std::filesystem::path& path() const { return path_; }
  std::span<const std::byte> bytes() const { return {data_, size_}; }
  std::string_view text() const { return {reinterpret_cast<const char*>(data_), size_}; }

 private:
  MappedFile(std::filesystem::path path, const std::byte* data, size_t size);

  std::filesystem::path path_;
  const std::byte* data_;
  size_t size_;
};

/// Asks the system to read the pages of `bytes`, a part of a mapped file, in the background.
void read_ahead(std::span<const std::byte> bytes);

/// Has the pages of `bytes`, a part of a mapped file, in memory when it returns.
void read_now(std::span<const std::byte> bytes);

/// Takes the pages of `bytes`, a part of a mapped file and of nothing else, out of this process's memory. The system
/// may keep them in its page cache; the next touch has them back.
void release(std::span<const std::byte> bytes);

}  // namespace vlsi
