#include "study/input_fingerprints.h"

#include <algorithm>
#include <vector>

#include "base/checksum.h"
#include "base/error.h"
#include "base/mapped_file.h"

namespace vlsi {
namespace {

namespace fs = std::filesystem;
constexpr uint64_t kLargeBytes = uint64_t{64} << 20, kEndBytes = uint64_t{1} << 20;

void add_file(const fs::path& path, Checksum& checksum) {
  const auto bytes = fs::file_size(path);
  checksum.update(concat(bytes, ' '));
  if (bytes == 0) return;
  const auto file = MappedFile::open(path);
  const auto text = file->text();
  if (bytes <= kLargeBytes) {
    checksum.update(text);
  } else {
    checksum.update(text.substr(0, kEndBytes));
    checksum.update(text.substr(bytes - kEndBytes));
  }
}

}  // namespace

const std::string& InputFingerprints::of(const fs::path& path) {
  const auto found = known_.find(path);
  if (found != known_.end()) return found->second;
  Checksum checksum;
  if (fs::is_regular_file(path)) {
    add_file(path, checksum);
  } else if (fs::is_directory(path)) {
    std::vector<fs::path> files;
    for (const auto& entry : fs::recursive_directory_iterator(path)) {
      if (entry.is_regular_file()) files.push_back(entry.path());
    }
    std::sort(files.begin(), files.end());
    for (const auto& file : files) {
      checksum.update(concat(fs::relative(file, path).string(), ' '));
      add_file(file, checksum);
    }
  } else {
    fail("reading ", path.string(), ": there is no such file or folder");
  }
  return known_.emplace(path, hexadecimal(checksum.value())).first->second;
}

std::string InputFingerprints::of_all(const std::vector<fs::path>& files) {
  Checksum checksum;
  for (const auto& file : files) checksum.update(concat(file.filename().string(), ' ', of(file), '\n'));
  return hexadecimal(checksum.value());
}

}  // namespace vlsi
