#include "base/memory.h"

#include <malloc.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <string>

namespace vlsi {
namespace {

namespace fs = std::filesystem;

/// The number of a file that holds nothing else; nothing for "max" and a file that is not there.
std::optional<int64_t> number_in(const fs::path& path) {
  std::ifstream file(path);
  int64_t value = 0;
  return file >> value ? std::optional(value) : std::nullopt;
}

/// The number behind `key` in a file of lines "key number ...".
std::optional<int64_t> number_behind(const std::string& key, const fs::path& path) {
  std::ifstream file(path);
  for (std::string word; file >> word; file.ignore(1 << 16, '\n')) {
    int64_t value = 0;
    if (word == key) return file >> value ? std::optional(value) : std::nullopt;
  }
  return std::nullopt;
}

/// The files of a control group's memory, and where its hierarchy stands; `line` is how /proc/self/cgroup begins to
/// name it.
struct Hierarchy {
  const char *line, *folder, *limit, *usage, *cached;
};
constexpr Hierarchy kHierarchies[] = {
    {":memory:", "sys/fs/cgroup/memory", "memory.limit_in_bytes", "memory.usage_in_bytes", "total_cache"},
    {"0::", "sys/fs/cgroup", "memory.max", "memory.current", "file"}};

/// What a group's limit leaves; its cached file pages can be given up.
std::optional<int64_t> left_of(const fs::path& group, const Hierarchy& files) {
  const auto limit = number_in(group / files.limit), usage = number_in(group / files.usage);
  if (!limit || !usage) return std::nullopt;
  const int64_t needed = std::max<int64_t>(0, *usage - number_behind(files.cached, group / "memory.stat").value_or(0));
  return std::max<int64_t>(0, *limit - needed);
}

/// This process's group, relative to where its hierarchy stands.
fs::path own_group(const fs::path& root, const Hierarchy& hierarchy) {
  std::ifstream file(root / "proc/self/cgroup");
  for (std::string line; std::getline(file, line);) {
    const auto at = line.find(hierarchy.line);
    if (at != line.npos) return fs::path(line.substr(at + std::string(hierarchy.line).size())).relative_path();
  }
  return {};
}

}  // namespace

std::optional<int64_t> available_memory(const fs::path& root) {
  std::optional<int64_t> available;
  const auto limit = [&](std::optional<int64_t> bytes) {
    if (bytes) available = std::min(available.value_or(*bytes), *bytes);
  };
  if (const auto kib = number_behind("MemAvailable:", root / "proc/meminfo")) limit(*kib * 1024);
  for (const auto& hierarchy : kHierarchies) {
    // A group's limit holds for all below it.
    for (auto group = own_group(root, hierarchy);; group = group.parent_path()) {
      limit(left_of(root / hierarchy.folder / group, hierarchy));
      if (group.empty()) break;
    }
  }
  return available;
}

int64_t resident_memory() {
  std::ifstream file("/proc/self/statm");
  int64_t all = 0, resident = 0;
  return file >> all >> resident ? resident * ::sysconf(_SC_PAGESIZE) : 0;
}

void release_freed_memory() {
#ifdef __GLIBC__
  ::malloc_trim(0);
#endif
}

}  // namespace vlsi
