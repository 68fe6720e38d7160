// A folder for a test, and texts in files.
#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <sstream>
#include <string>
#include <string_view>

#include "base/error.h"
#include "tests/support/errors.h"

namespace vlsi {

inline std::string content_of(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream content;
  content << file.rdbuf();
  return std::move(content).str();
}

/// Creates the folder that it is in, too.
inline void write_text(const std::filesystem::path& path, std::string_view text) {
  std::filesystem::create_directories(path.parent_path());
  std::ofstream(path, std::ios::binary) << text;
}

/// A folder of its own, removed at the end with everything in it.
class Folder {
 public:
  /// `files`: texts by their names in it.
  explicit Folder(const std::map<std::string, std::string>& files = {}) {
    static int counter = 0;
    path_ = std::filesystem::canonical(testing::TempDir()) / concat("vlsi_test_", ::getpid(), '_', counter++);
    std::filesystem::create_directories(path_);
    for (const auto& [name, text] : files) write(name, text);
  }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  ~Folder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }

  const std::filesystem::path& path() const { return path_; }
  std::filesystem::path operator/(const std::string& name) const { return path_ / name; }
  std::filesystem::path write(const std::string& name, std::string_view text) const {
    write_text(path_ / name, text);
    return path_ / name;
  }

 private:
  std::filesystem::path path_;
};

}  // namespace vlsi
