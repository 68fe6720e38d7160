// Short fingerprints of files and folders that a study reads and does not make.
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <vector>

namespace vlsi {

/// Remembers what it has read.
class InputFingerprints {
 public:
  /// Of a file's bytes, or of the names and bytes of all files below a folder; of a file above 64 MiB, its size, first
  /// and last MiB stand for the rest. The same on every machine, wherever the files are. Error where there is nothing,
  /// and for what cannot be read.
  const std::string& of(const std::filesystem::path& path);
  /// Of several files in their order, by their names without folders and their bytes.
  std::string of_all(const std::vector<std::filesystem::path>& files);

 private:
  std::map<std::filesystem::path, std::string> known_;
};

}  // namespace vlsi
