#include "base/disk_space.h"

#include "base/error.h"

namespace vlsi {

namespace fs = std::filesystem;

int64_t free_disk_bytes(const fs::path& path, const std::string& action) {
  auto folder = fs::absolute(path);
  std::error_code error;
  while (!fs::exists(folder, error) && folder.has_relative_path()) folder = folder.parent_path();
  const auto space = fs::space(folder, error);
  if (error) fail(action, ": ", error.message());
  return static_cast<int64_t>(space.available);
}

int64_t bytes_in(const fs::path& folder) {
  int64_t bytes = 0;
  std::error_code ignored;
  for (fs::recursive_directory_iterator entry(folder, ignored), end; !ignored && entry != end;
       entry.increment(ignored)) {
    std::error_code gone;  // a file may go while the others are counted
    const auto size = entry->is_regular_file(gone) ? entry->file_size(gone) : 0;
    if (!gone) bytes += static_cast<int64_t>(size);
  }
  return bytes;
}

}  // namespace vlsi
