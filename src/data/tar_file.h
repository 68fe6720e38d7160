// Tars as webdataset has them: members side by side whose names have the same key are a sample.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/mapped_file.h"
#include "data/stretch.h"

namespace vlsi {

/// Mapped; the headers of its members are read once, by libarchive, and 8 bytes of memory a sample are kept. A sample
/// is read wherever it is. Any number of threads may read.
///
/// A member's key is its name up to the first dot behind the last slash, its suffix what stands behind that dot.
/// Folders, members without key or suffix, and those whose key begins and ends with "__" are passed over.
class TarFile {
 public:
  /// Error naming file and member for what is no tar, one that is cut off or has something behind its end, names that
  /// are absolute or have "..", links and what else is no file, sparse files, two members of one name, a key whose
  /// members are at two places, and a tar without samples.
  explicit TarFile(const std::filesystem::path& path);

  const std::shared_ptr<const MappedFile>& file() const { return file_; }
  const std::filesystem::path& path() const { return file_->path(); }
  int64_t size() const { return static_cast<int64_t>(offsets_.size()); }

  struct Member {
    std::string suffix;
    std::string_view bytes;  // of the mapped file
  };
  struct Sample {
    std::string key;  // with folders
    std::vector<Member> members;

    /// Null where there is none of this suffix.
    const Member* find(std::string_view suffix) const;
  };
  Sample sample(int64_t index) const;
  /// "path, sample 12 (key)", counted from 1.
  std::string place(int64_t index) const;
  /// Of the members' names, places, sizes and times.
  uint64_t checksum() const { return checksum_; }
  std::vector<Stretch> stretches() const;
  /// Takes the pages of a sample out of memory where there are many.
  void give_back(int64_t index) const;

 private:
  size_t end_of(int64_t index) const;

  std::shared_ptr<const MappedFile> file_;
  std::vector<uint64_t> offsets_;  // of the header of each sample's first member
  uint64_t end_ = 0;               // behind the last sample
  uint64_t checksum_ = 0;
};

}  // namespace vlsi
