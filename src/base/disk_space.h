// Room on disks.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

namespace vlsi {

/// Bytes that this process may still write in the folder that `path` is, or will be, in. Error "`action`: .." where the
/// system does not say.
int64_t free_disk_bytes(const std::filesystem::path& path, const std::string& action);

/// Bytes of all files below `folder`; 0 when there is none.
int64_t bytes_in(const std::filesystem::path& folder);

}  // namespace vlsi
